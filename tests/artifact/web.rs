//! A plain web server as the store: PUT and GET, with and without renaming.

use std::fs;

use crate::artifact::server::{Reply, Request, Server, State, part};
use crate::artifact::{bytes, forget, here, repository, set_store};

/// A folder of files, as WebDAV has it; `renames` says whether it has MOVE.
pub fn dav(request: &Request, state: &mut State, renames: bool) -> Reply {
    let path = request.path.clone();
    match request.method.as_str() {
        "OPTIONS" => {
            Reply::new(200, "").header("allow", if renames { "GET, PUT, MOVE, DELETE" } else { "GET, PUT" })
        }
        "PUT" if request.body.len() < request.length => Reply::new(400, ""),
        "PUT" => {
            let folder = format!("{}/", path.rsplit_once('/').unwrap().0);
            if !state.objects.contains_key(&folder) {
                return Reply::new(409, "no such folder");
            }
            state.objects.insert(path, request.body.clone());
            Reply::new(201, "")
        }
        "MKCOL" => {
            state.objects.insert(path, Vec::new());
            Reply::new(201, "")
        }
        "MOVE" => {
            let target = request.headers["destination"].clone();
            let target = format!("/{}", target.splitn(4, '/').nth(3).unwrap());
            let bytes = state.objects.remove(&path).unwrap();
            state.objects.insert(target, bytes);
            Reply::new(201, "")
        }
        "GET" | "HEAD" => match state.objects.get(&path) {
            Some(bytes) => part(request, bytes),
            None => Reply::new(404, ""),
        },
        _ => Reply::new(405, ""),
    }
}

#[test]
fn files_are_put_and_got() {
    for renames in [true, false] {
        let server = Server::with(move |request, state, _| Some(dav(request, state, renames)));
        let model = bytes(1, 300_000);
        let repo = repository("a", &model);
        set_store(&repo, &format!("{}/team/store/", server.url));
        repo.xtrack(&["artifact", "push"]).ok();
        let sha256 = xtrack::run::id::sha256(&model);
        let place = format!("/team/store/{}/{sha256}", &sha256[..2]);
        assert_eq!(server.state.lock().unwrap().objects.get(&place), Some(&model));
        let files = server.state.lock().unwrap().objects.keys().filter(|name| !name.ends_with('/')).count();
        assert_eq!((files, server.count("MOVE", "/")), (1, usize::from(renames)));
        forget(&repo, &model);
        repo.xtrack(&["artifact", "pull", "a"]).ok();
        assert_eq!(fs::read(here(&repo, &model)).unwrap(), model);
        repo.xtrack(&["artifact", "prune", "--yes"]).ok();
        assert!(!here(&repo, &model).exists());
    }
}
