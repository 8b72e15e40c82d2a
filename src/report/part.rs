//! A file that is written piece by piece and appears whole or not at all.

use super::files::FileError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes kept in memory before they go to the file.
const HELD: usize = 1 << 16;

/// A file that comes into being. It stands beside its place under another name until [`Part::commit`]; dropped before that,
/// nothing is left of it. Between two writes it is closed, so that any number of them can be written at the same time.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    beside: PathBuf,
    held: Vec<u8>,
    done: bool,
}

impl Part {
    /// Starts a file that will stand at `path`.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
        File::create(&beside).map_err(|error| FileError::new(path, "write", &error))?;
        Ok(Self { path: path.to_owned(), beside, held: Vec::new(), done: false })
    }

    /// Where it will stand.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.held.extend_from_slice(bytes);
        if self.held.len() < HELD {
            return Ok(());
        }
        self.append(false)
    }

    /// Everything has been written: the file takes its place.
    pub fn commit(mut self) -> Result<(), FileError> {
        self.append(true)?;
        fs::rename(&self.beside, &self.path).map_err(|error| FileError::new(&self.path, "write", &error))?;
        self.done = true;
        Ok(())
    }

    /// Puts what is held into the file.
    fn append(&mut self, last: bool) -> Result<(), FileError> {
        let put = || -> io::Result<()> {
            let mut file = OpenOptions::new().append(true).open(&self.beside)?;
            file.write_all(&self.held)?;
            if last { file.sync_all() } else { Ok(()) }
        };
        put().map_err(|error| FileError::new(&self.path, "write", &error))?;
        self.held.clear();
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            // What went wrong has been said already; a leftover is told apart by its name.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// Writes `bytes` to `path` so that nobody ever sees a part.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut part = Part::create(path)?;
    part.write(bytes)?;
    part.commit()
}
