//! An executable that is signed anew as a debugger, as `gotrace setup` does on a Mac, and back: a real
//! program, held to another reader of its signature.

use crate::folders::{hardened, names, scratch};
use crate::prepare::signature;
use gotrace::environment::entitled::{Entitled, EntitledError, may_take_tasks};
use gotrace::environment::signing::Signer;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

#[test]
fn a_program_becomes_a_debugger_and_is_none_again() {
    let Some(program) = hardened() else { return };
    let folder = scratch();
    let path = folder.path().join("gotrace");
    fs::write(&path, program).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o751)).unwrap();
    let before = fs::metadata(&path).unwrap();
    let entitled = Entitled {
        path: path.clone(),
        signer: Signer::Own,
    };
    entitled.apply().unwrap();
    let read = signature(&path);
    let debugger = serde_json::json!({ "com.apple.security.cs.debugger": true });
    assert_eq!(read["entitlements"], debugger, "{read}");
    assert_eq!(read["wrong"], serde_json::json!([]), "{read}");
    assert!(may_take_tasks(&fs::read(&path).unwrap()));
    let after = fs::metadata(&path).unwrap();
    // The kernel ends programs whose file is written to: it is another file.
    assert_ne!(after.ino(), before.ino());
    assert_eq!(after.mode(), before.mode());

    entitled.undo().unwrap();
    let read = signature(&path);
    assert_eq!(read["entitlements"], serde_json::Value::Null, "{read}");
    assert_eq!(read["wrong"], serde_json::json!([]), "{read}");
    assert!(!may_take_tasks(&fs::read(&path).unwrap()));
    assert_eq!(names(folder.path()), ["gotrace"]);
}

/// `/bin/true` signs nothing, and says that it did.
#[test]
fn what_comes_out_otherwise_takes_no_place() {
    let Some(program) = hardened() else { return };
    let folder = scratch();
    let path = folder.path().join("gotrace");
    fs::write(&path, program).unwrap();
    let before = fs::read(&path).unwrap();
    let entitled = Entitled {
        path: path.clone(),
        signer: Signer::Codesign("/bin/true".into()),
    };
    let error = entitled.apply().unwrap_err();
    assert!(matches!(error, EntitledError::Otherwise { .. }), "{error}");
    assert!(
        error.to_string().contains("expected a signature with"),
        "{error}"
    );
    let unsignable = Entitled {
        path: folder.path().join("missing"),
        signer: Signer::Own,
    };
    assert!(unsignable.apply().is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names(folder.path()), ["gotrace"]);
}
