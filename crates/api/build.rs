//! Compiles `proto/` with a compiler written in Rust, so that nobody needs protoc.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use protox::prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    // Cargo watches every file below a directory, new ones included.
    println!("cargo::rerun-if-changed={}", root.display());

    let mut protos = Vec::new();
    collect_protos(&root, &mut protos)?;
    // Directories are read in any order; the descriptors must not depend on it.
    protos.sort();

    let mut descriptors = protox::compile(&protos, [&root])?;
    tonic_prost_build::configure()
        // Maps in the order of their keys: equal messages are equal bytes.
        .btree_map(".")
        // Contents are shared, not copied.
        .bytes(".")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors.clone())?;

    // Reflection has no use for comments, which are most of the size.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    let target = Path::new(&env::var("OUT_DIR")?).join("descriptors.binpb");
    fs::write(target, descriptors.encode_to_vec())?;
    Ok(())
}

fn collect_protos(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_protos(&path, found)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            found.push(path);
        }
    }
    Ok(())
}
