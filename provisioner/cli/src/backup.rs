//! `cairn backup`: the server makes it, in its own data folder; on the same machine it is then moved to where it shall be.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    time::Duration,
};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::{
    Context, Output,
    args::{Backup, BackupCommand},
    exit::Failure,
    show::table::{self, cell},
    target::text as said,
};

/// The list of contents, without which a folder is no backup.
const LIST: &str = "backup.json";

/// `cairn backup ...`
pub(crate) async fn run(cx: &mut Context, args: Backup) -> Result<(), Failure> {
    if let Some(BackupCommand::Ls) = args.command {
        return list(cx).await;
    }
    if let Some(to) = &args.to {
        free(to)?;
    }
    let client = cx.client()?;
    let bar = waiting(&cx.output);
    let made = client.post_patiently("/api/v1/backups", &json!({ "name": args.name })).await;
    bar.finish_and_clear();
    let mut made: Value = made?;
    if let Some(to) = &args.to {
        made = moved(made, to)?;
    }
    if cx.value(&made)? {
        return Ok(());
    }
    cx.line(&text(&made))
}

/// What people are told of a backup: the API's words, as JSON.
#[must_use]
pub fn text(made: &Value) -> String {
    let number = |name: &str| made.get(name).and_then(Value::as_u64).unwrap_or_default();
    let path = cairn_domain::fact::plain(said(made, "/path"), 1000);
    format!(
        "Backed up {} rows and {} artifacts into {path}\nIt holds the site's keys: whoever has it is the site. \
         Keep it on another machine, as safe as this one.\nBring it back: cairn restore {path} --data DIR",
        number("rows"),
        number("blobs"),
    )
}

async fn list(cx: &mut Context) -> Result<(), Failure> {
    let page: Value = cx.client()?.get("/api/v1/backups").await?;
    if cx.value(&page)? {
        return Ok(());
    }
    let items = page.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return cx.line("No backups on the provisioner. Make one: cairn backup");
    }
    let words = cx.words();
    let number = |item: &Value, name: &str| {
        item.get(name).and_then(Value::as_u64).map_or_else(String::new, |n| n.to_string())
    };
    let row = |item: &Value| {
        let at = words.when(item.get("created")).map_or_else(String::new, |at| words.stamp(at));
        let (rows, blobs) = (number(item, "rows"), number(item, "blobs"));
        vec![cell(said(item, "/name")), cell(at), cell(rows), cell(blobs), cell(said(item, "/path"))]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    cx.line(&table::grid(&words, &["NAME", "TIME", "ROWS", "ARTIFACTS", "FOLDER"], &rows))
}

/// On stderr, and only on a terminal.
fn waiting(output: &Output) -> ProgressBar {
    if !output.is_text() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message("backing up; the site goes on");
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Told before the server works for nothing.
fn free(to: &Path) -> Result<(), Failure> {
    let taken = match fs::read_dir(to) {
        Ok(mut entries) => entries.next().is_some(),
        Err(e) => e.kind() != io::ErrorKind::NotFound,
    };
    if taken {
        let text = format!("{} is there already and not empty", to.display());
        return Err(Failure::usage(text, "Name a new folder, such as /mnt/usb/monday"));
    }
    Ok(())
}

/// Moves it from the server's folder, if that is on this machine.
fn moved(made: Value, to: &Path) -> Result<Value, Failure> {
    let from = Path::new(said(&made, "/path")).to_owned();
    if !from.join(LIST).is_file() {
        let text =
            format!("the backup is made, but not on this machine: {} on the provisioner", from.display());
        return Err(Failure::new(text, "Copy it from there; it holds the site's keys."));
    }
    let to = std::path::absolute(to).unwrap_or_else(|_| to.to_owned());
    move_folder(&from, &to).map_err(|e| {
        let text =
            format!("cannot move the backup to {}: {e}; it is complete in {}", to.display(), from.display());
        Failure::new(text, "Check the folder and its free space, then move it yourself.")
    })?;
    let mut made = made;
    if let Some(object) = made.as_object_mut() {
        let name = to.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        object.insert("path".to_owned(), json!(to));
        object.insert("name".to_owned(), json!(name));
    }
    Ok(made)
}

fn move_folder(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::rename(from, to) {
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {}
        done => return done,
    }
    // Its name comes last: what an interrupted copy left has another.
    let name = to.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let part = to.with_file_name(format!(".{name}.part"));
    match fs::remove_dir_all(&part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    copy_folder(from, &part)?;
    fs::rename(&part, to)?;
    to.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())?;
    fs::remove_dir_all(from)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target)?;
            io::copy(&mut File::open(entry.path())?, &mut file)?;
            file.sync_all()?;
        }
    }
    File::open(to)?.sync_all()
}
