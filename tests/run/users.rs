//! The command `user`, and when the service starts without users.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::kill::process::{Bridge, run, run_with_input};

#[tokio::test]
async fn users_are_added_listed_and_removed_and_no_secret_is_an_argument_or_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    let settings = [("BRIDGE_USERS_FILE", path.to_str().unwrap())];
    let user = |arguments: &[&str], input: &str| {
        run_with_input(folder.path(), &[&["user"], arguments].concat(), &settings, input)
    };
    let (is_well, said) = user(&["add", "Anne"], "hemmelig: æøå\n");
    assert!(is_well, "{said}");
    let (is_well, said) = user(&["add", "bo", "--key", "--tables", "Y25I01,y30r21"], "");
    assert!(is_well, "{said}");
    let key = said.lines().find(|line| line.starts_with("jb_")).unwrap().to_owned();
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept.starts_with("# form 1\nanne:$argon2id$") && kept.contains("\nbo:$sha256$"), "{kept}");
    assert!(!kept.contains(&key) && !kept.contains("hemmelig"), "{kept}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(user(&["add", "dorte", "--proxy"], "").0);
    assert!(!user(&["add", "dorte", "--proxy", "--key"], "").0);
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept.ends_with("\ndorte:-:*\n"), "{kept}");
    assert_eq!(user(&["list"], "").1, "anne  password  *\nbo  key  y25i01,y30r21\ndorte  proxy  *\n");
    for (arguments, input, why) in [
        (vec!["add", "ANNE"], "en anden kode\n", "there is a user anne already"),
        (vec!["add", "eva"], "\n", "at least 8 characters"),
        (vec!["add", "eva"], "", "at least 8 characters"),
        (vec!["add", "\u{435}va"], "hemmelig kode\n", "Latin letters"),
        (vec!["add", "eva", "--tables", "y25i01;x"], "hemmelig kode\n", "--tables: expected ids"),
        (vec!["remove", "eva"], "", "there is no user eva"),
    ] {
        let (is_well, said) = user(&arguments, input);
        assert!(!is_well && said.contains(why), "{arguments:?}: {said}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), kept, "what is refused changes nothing");
    assert!(user(&["remove", "anne"], "").0);
    assert_eq!(user(&["list"], "").1, "bo  key  y25i01,y30r21\ndorte  proxy  *\n");
    fs::write(&path, "# nobody\nbo:hemmelig kode:*\n").unwrap();
    let (is_well, said) = user(&["list"], "");
    assert!(!is_well && said.contains("line 2: the secret is no argon2 hash"), "{said}");
    assert!(!said.contains("hemmelig kode"), "{said}");
    fs::write(&path, "# form 2\nbo = { hash = \"x\" }\n").unwrap();
    let (is_well, said) = user(&["list"], "");
    assert!(!is_well && said.contains("line 1: the file has the form 2"), "{said}");
    assert!(said.contains("a newer version of the program wrote it"), "{said}");
    // Files of the builds before this line was written have none.
    fs::write(&path, "bo:-:*\n").unwrap();
    assert_eq!(user(&["list"], "").1, "bo  proxy  *\n");
    let (is_well, said) = run(folder.path(), &["user", "list"], &[]);
    assert!(!is_well && said.contains("set BRIDGE_USERS_FILE"), "{said}");
}

#[tokio::test]
async fn users_who_are_added_at_the_same_time_are_all_there_and_the_file_keeps_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("etc/users");
    let settings = [("BRIDGE_USERS_FILE", path.to_str().unwrap())];
    assert!(run(folder.path(), &["user", "add", "anne", "--proxy"], &settings).0);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    std::thread::scope(|scope| {
        let add = |number: usize| {
            let (is_well, said) =
                run(folder.path(), &["user", "add", &format!("bo{number}"), "--key"], &settings);
            assert!(is_well, "{said}");
        };
        (0..8).for_each(|number| drop(scope.spawn(move || add(number))));
    });
    let listed = run(folder.path(), &["user", "list"], &settings).1;
    let names: Vec<_> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["anne", "bo0", "bo1", "bo2", "bo3", "bo4", "bo5", "bo6", "bo7"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let (_, said) = run(folder.path(), &["check"], &settings);
    assert!(said.contains("users: 9\n"), "{said}");
}

#[tokio::test]
async fn an_address_that_others_reach_stops_the_start_unless_it_is_said_who_may_read() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["serve", "check"] {
        for listen in ["0.0.0.0:0", "[::]:0"] {
            let (is_well, said) = run(folder.path(), &[command], &[("BRIDGE_LISTEN", listen)]);
            assert!(!is_well && said.contains("BRIDGE_OPEN=1 if everybody may read"), "{command}: {said}");
        }
    }
    let missing = folder.path().join("none");
    let (is_well, said) = run(folder.path(), &["serve"], &[("BRIDGE_USERS_FILE", missing.to_str().unwrap())]);
    assert!(!is_well && said.contains("BRIDGE_USERS_FILE: the file"), "{said}");
    let open =
        Bridge::start_with(folder.path(), &[("BRIDGE_LISTEN", "0.0.0.0:0"), ("BRIDGE_OPEN", "1")]).await;
    assert_eq!(open.get("/odata/").await.unwrap().0, 200);
}
