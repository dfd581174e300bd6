//! The replica of the PyTorch index: pages as the real one writes them.

use crate::support::replica::World;

const ANY: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.01";

fn page(url: &str) -> String {
    String::from_utf8(World::real().answer(&format!("http://{url}"), ANY).unwrap().bytes().to_vec()).unwrap()
}

#[test]
fn a_small_page_byte_by_byte() {
    let expected = "<!DOCTYPE html>\n<html>\n  <body>\n    <h1>Links for xformers</h1>\n    \
        <a href=\"/whl/cu124/xformers-0.0.29.post1-cp310-cp310-manylinux_2_28_x86_64.whl\
        #sha256=ff0cd00be84cc6867762d8c76f764f36c88f5997ae45caba28ab38d08dcf7090\">xformers-0.0.29.post1-cp310-cp310-manylinux_2_28_x86_64.whl</a><br/>\n    \
        <a href=\"/whl/cu124/xformers-0.0.29.post1-cp310-cp310-win_amd64.whl\
        #sha256=b2e55d3209b95f702fb17caecd58c890192548941bbbee72f74aacb0d7c7690e\">xformers-0.0.29.post1-cp310-cp310-win_amd64.whl</a><br/>\n  \
        </body>\n</html>\n<!--TIMESTAMP 1755800000-->";
    assert_eq!(page("download.pytorch.org/whl/cu124/xformers/"), expected);
}

#[test]
fn links_of_the_family_lead_to_the_second_host() {
    let page = page("download.pytorch.org/whl/cu128/torch/");
    let line = |file: &str| page.lines().find(|line| line.contains(&format!(">{file}<"))).unwrap().to_owned();
    let line_of_a_wheel = line("torch-2.9.1+cu128-cp312-cp312-win_amd64.whl");
    let start =
        "    <a href=\"http://download-r2.pytorch.org/whl/cu128/torch-2.9.1%2Bcu128-cp312-cp312-win_amd64.whl#sha256=";
    assert!(line_of_a_wheel.starts_with(start), "{line_of_a_wheel}");
    assert!(line_of_a_wheel.contains(" data-dist-info-metadata=\"sha256="), "{line_of_a_wheel}");
    assert!(line_of_a_wheel.contains(" data-upload-time=\"20"), "{line_of_a_wheel}");
    // Its fragment is missing, and the hash of its metadata is not.
    let line_without_hash = line("torch-2.11.0+cu128-cp310-cp310-manylinux_2_28_x86_64.whl");
    assert!(!line_without_hash.contains('#') && line_without_hash.contains(" data-core-metadata=\"sha256="));
    let place = |version: &str| page.find(&format!(">torch-{version}+cu128-")).unwrap();
    assert!(place("2.10.0") < place("2.7.0"), "the order is that of text");
    assert!(!page.contains("requires-python") && !page.contains("yanked"));
}

#[test]
fn the_root_is_on_every_page_and_copies_lead_elsewhere() {
    assert!(
        page("download.pytorch.org/whl/cu118/triton/").contains("\"http://download-r2.pytorch.org/whl/triton-3.2.0-")
    );
    let copy = page("download.pytorch.org/whl/cu126/nvidia-cudnn-cu12/");
    assert!(copy.contains("<a href=\"http://pypi.nvidia.com/nvidia-cudnn-cu12/nvidia_cudnn_cu12-9.10.2.21-"));
    assert!(copy.contains("pypi:repository-version") && copy.contains("data-requires-python"));
    assert!(page("download.pytorch.org/whl/cu130/numpy/").contains("<a href=\"http://files.pythonhosted.org/"));
    assert!(
        page("download.pytorch.org/whl/cu124/nvidia-cudnn-cu12/")
            .contains("<a href=\"/whl/cu124/nvidia_cudnn_cu12-9.1.0.70-")
    );
}

#[test]
fn what_is_not_there_is_forbidden_here_and_missing_there() {
    let status = |url: &str| World::real().answer(&format!("http://{url}"), ANY).err();
    assert_eq!(status("download.pytorch.org/whl/cu999/torch/"), Some(403));
    assert_eq!(status("download-r2.pytorch.org/whl/cpu/torch-9.9-py3-none-any.whl"), Some(403));
    assert_eq!(status("pypi.org/simple/no-such-project/"), Some(404));
    assert_eq!(status("pypi.org/simple/torch/"), None);
}

#[test]
fn metadata_lies_beside_the_wheel_from_2025_on_and_within_it_before() {
    let there = |path: &str| World::real().answer(&format!("http://download-r2.pytorch.org/whl/{path}"), ANY).is_ok();
    let (new, old) = ("torch-2.9.1%2Bcu128-cp312-cp312-win_amd64.whl", "torch-2.4.1%2Bcu124-cp312-cp312-win_amd64.whl");
    assert!(there(&format!("cu128/{new}")) && there(&format!("cu128/{new}.metadata")));
    assert!(there(&format!("cu124/{old}")) && !there(&format!("cu124/{old}.metadata")));
}
