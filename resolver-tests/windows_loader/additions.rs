//! What no RECORD names in torch's `lib` folder: what someone put there, and what torchfix did.

use std::path::Path;

use torchfix::loader::{Fix, Problem};

use crate::pe::Dll;
use crate::world::{LIB, Nvidia, SITE, World, nvidia_dlls};
use crate::{in_lib, named, sorted};

/// cuDNN 9.10 of a wheel, linked into torch's folder, and there two DLLs of 9.13 over it.
fn overwritten() -> World {
    let mut world = World::cuda(Nvidia::InWheels);
    world.fixed();
    for (_, name, dll) in nvidia_dlls([9, 13, 0, 50], 12080) {
        if ["cudnn64_9.dll", "cudnn_ops64_9.dll"].contains(&name) {
            world.put(LIB, name, dll);
        }
    }
    assert_eq!(world.predicted(), None, "the import succeeds");
    assert!(matches!(&world.problems()[..], [Problem::MixedVersions { .. }]), "{:?}", world.problems());
    world
}

/// Everything in torch's folder that torchfix linked.
fn linked(world: &mut World) {
    let names = nvidia_dlls([9, 10, 2, 21], 12080).into_iter().map(|(_, name, _)| name);
    world.setting.own = names.map(in_lib).collect();
}

#[test]
fn all_of_a_mixture_is_put_aside_or_nothing() {
    let mut world = overwritten();
    let changed = world.fixed();
    assert_eq!(changed.len(), 4, "{changed:?}");
    assert_eq!(changed[..2], ["-cudnn64_9.dll", "-cudnn_ops64_9.dll"]);

    // The wheel has lost one: what loads is left as it is.
    let mut world = overwritten();
    world.remove(&format!("{SITE}/nvidia/cudnn/bin/cudnn_ops64_9.dll"));
    let fixes = world.fixes();
    assert!(fixes.fixes.is_empty() && fixes.left.len() == 1, "{fixes:#?}");
}

#[test]
fn what_torchfix_linked_is_linked_again() {
    let mut world = overwritten();
    linked(&mut world);
    assert!(world.fixes().fixes.iter().all(|fix| matches!(fix, Fix::Complete { .. })), "{:#?}", world.fixes());
    assert!(world.fixes().fixes.iter().all(|fix| !fix.why().contains("no distribution")));
    assert_eq!(sorted(world.fixed()), ["cudnn64_9.dll", "cudnn_ops64_9.dll"]);

    // Damaged.
    world.write(&in_lib("cudart64_12.dll"), b"text".to_vec());
    assert_eq!(world.predicted(), named(193, "c10_cuda.dll"));
    assert_eq!(world.fixed(), ["cudart64_12.dll"]);
}

#[test]
fn what_torchfix_linked_is_taken_away_where_nothing_needs_it() {
    let mut world = World::cpu();
    world.setting.own = vec![in_lib("a.dll")];
    world.put(LIB, "a.dll", Dll::new().imports("nowhere.dll", &["x"]));
    let fixes = world.fixes().fixes;
    assert!(matches!(&fixes[..], [Fix::Aside { why, .. }] if why.contains("torchfix's own")), "{fixes:#?}");
    assert_eq!(world.fixed(), ["-a.dll"]);
}

#[test]
fn strays_that_need_each_other_go_together() {
    let mut world = World::cpu();
    world.write(&in_lib("a.dll"), b"text".to_vec());
    world.put(LIB, "b.dll", Dll::new().imports("a.dll", &["x"]));
    assert_eq!(sorted(world.fixed()), ["-a.dll", "-b.dll"]);
    // One of them is torch's: it stays.
    let mut world = World::cpu();
    world.write(&in_lib("a.dll"), b"text".to_vec());
    world.own("torch.dll", Dll::new().imports("a.dll", &["x"]));
    assert!(world.fixes().fixes.is_empty() && !world.fixes().left.is_empty());
}

#[test]
fn a_record_names_files_whatever_the_case_of_their_letters() {
    let mut world = World::cpu();
    world.own("Ä.dll", Dll::new().imports("nowhere.dll", &["x"]));
    assert_eq!(world.predicted(), named(126, "Ä.dll"));
    assert!(world.predict().surroundings.foreign.is_empty());
    assert!(world.fixes().fixes.is_empty());
    // Found by another spelling.
    let mut world = World::cpu();
    world.own("Ä.dll", Dll::new().exports(&["x"]));
    world.own("torch.dll", Dll::new().imports("ä.DLL", &["x"]));
    world.remove(Path::new(LIB).join("Ä.dll").to_str().unwrap());
    world.put(&format!("{SITE}/nvidia/x/bin"), "Ä.dll", Dll::new().exports(&["x"]));
    assert_eq!(world.fixed(), ["Ä.dll"]);
}
