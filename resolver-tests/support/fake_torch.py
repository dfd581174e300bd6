"""A torch of a few lines: whole numbers in lists, and whatever is wrong with it is written below."""

import types

__version__ = "9.9.1"
version = types.SimpleNamespace(cuda=None, hip=None)


class Tensor:
    def __init__(self, values, device="cpu"):
        self.values, self.device = values, device

    def to(self, device):
        return Tensor(self.values, device)

    def tolist(self):
        return self.values

    def __matmul__(self, other):
        columns = list(zip(*other.values))
        return Tensor([[sum(x * y for x, y in zip(row, column)) for column in columns] for row in self.values])


def tensor(values):
    return Tensor(values)


def conv2d(image, kernel):
    [channels] = image.values
    size = range(len(channels[0]) - 2)
    return Tensor([[[[
        sum(channels[c][y + i][x + j] * one[c][i][j] for c in range(3) for i in range(3) for j in range(3))
        for x in size] for y in size] for one in kernel.values]])


class cuda:
    init = is_available = staticmethod(lambda: False)
    device_count = staticmethod(lambda: 2)
    get_device_name = staticmethod("Card {}".format)


class backends:
    class cudnn:
        version = staticmethod(lambda: 91002)
