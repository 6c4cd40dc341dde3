//! A program in a running container: its input and output by named pipes, as containerd's shim wants them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use containerd_client::services::v1::{
    CloseIoRequest, DeleteProcessRequest, ExecProcessRequest, GetContainerRequest, KillRequest,
    ResizePtyRequest, StartRequest, WaitRequest,
};
use nix::sys::stat::Mode;
use prost_types::Any;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};

use crate::engine::{Engine, EngineError, refused};

const PROCESS_URL: &str = "types.containerd.io/opencontainers/runtime-spec/1/Process";

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// Program and arguments.
    pub run: Vec<String>,
    /// Columns and rows of a terminal; absent: none.
    pub terminal: Option<(u16, u16)>,
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// Nothing to run in.
    #[error("the container does not run")]
    NotRunning,
    /// Nothing to run.
    #[error("no program is named")]
    NoProgram,
    /// The pipes.
    #[error("the input or output of the program broke")]
    Pipe(#[from] io::Error),
    /// containerd.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A program that runs.
#[derive(Debug)]
pub struct Running {
    engine: Engine,
    container: String,
    id: String,
    folder: PathBuf,
    pipes: Option<(Sender, Receiver)>,
}

/// Starts it.
pub(crate) async fn start(
    engine: &Engine,
    container: &str,
    run: &Path,
    what: &Exec,
) -> Result<Running, ExecError> {
    if what.run.is_empty() {
        return Err(ExecError::NoProgram);
    }
    let id = format!("exec-{}", uuid::Uuid::new_v4());
    let folder = run.join("exec").join(&id);
    fs::create_dir_all(&folder)?;
    let mut running =
        Running { engine: engine.clone(), container: container.to_owned(), id, folder, pipes: None };
    match running.begin(what).await {
        Ok(()) => Ok(running),
        Err(error) => {
            running.clean().await;
            Err(error)
        }
    }
}

impl Running {
    async fn begin(&mut self, what: &Exec) -> Result<(), ExecError> {
        let (stdin, stdout) = (self.folder.join("in"), self.folder.join("out"));
        for path in [&stdin, &stdout] {
            nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).map_err(io::Error::from)?;
        }
        // Open both ways: neither end waits for the other, and no end is seen before the program has ended.
        let mut both = OpenOptions::new();
        both.read_write(true);
        self.pipes = Some((both.open_sender(&stdin)?, both.open_receiver(&stdout)?));
        let process = self.process(what).await?;
        let text = |p: &Path| p.display().to_string();
        let out = text(&stdout);
        let request = self.engine.ask(ExecProcessRequest {
            container_id: self.container.clone(),
            exec_id: self.id.clone(),
            stdin: text(&stdin),
            stderr: if what.terminal.is_some() { String::new() } else { out.clone() },
            stdout: out,
            terminal: what.terminal.is_some(),
            spec: Some(Any { type_url: PROCESS_URL.to_owned(), value: process.to_string().into_bytes() }),
        });
        let mut tasks = self.engine.tasks().await?;
        tasks.exec(request).await.map_err(refused("run a program in a container"))?;
        let request = StartRequest { container_id: self.container.clone(), exec_id: self.id.clone() };
        tasks.start(self.engine.ask(request)).await.map_err(refused("run a program in a container"))?;
        if let Some(size) = what.terminal {
            // It may have ended already; then its status says so.
            let _ended = self.resize(size).await;
        }
        Ok(())
    }

    /// The container's own process with other arguments.
    async fn process(&self, what: &Exec) -> Result<Value, ExecError> {
        let request = self.engine.ask(GetContainerRequest { id: self.container.clone() });
        let got =
            self.engine.containers().await?.get(request).await.map_err(refused("look for a container"))?;
        let spec = got.into_inner().container.and_then(|c| c.spec).map(|s| s.value).unwrap_or_default();
        let spec: Value = serde_json::from_slice(&spec).map_err(|_| ExecError::NotRunning)?;
        let mut process = spec.get("process").cloned().ok_or(ExecError::NotRunning)?;
        process["args"] = json!(what.run);
        process["terminal"] = json!(what.terminal.is_some());
        if let (Some(_), Some(env)) = (what.terminal, process["env"].as_array_mut()) {
            env.push(json!("TERM=xterm"));
        }
        if let Some((width, height)) = what.terminal {
            process["consoleSize"] = json!({"width": width, "height": height});
        }
        Ok(process)
    }

    /// Another size of the terminal: columns and rows.
    ///
    /// # Errors
    /// containerd's.
    pub async fn resize(&self, (width, height): (u16, u16)) -> Result<(), EngineError> {
        let request = self.engine.ask(ResizePtyRequest {
            container_id: self.container.clone(),
            exec_id: self.id.clone(),
            width: width.into(),
            height: height.into(),
        });
        self.engine.tasks().await?.resize_pty(request).await.map_err(refused("size a terminal"))?;
        Ok(())
    }

    /// Moves bytes both ways until the program ends; its exit status. Nothing of it is left then. The end of `input` closes the
    /// program's; when `output` breaks, the program is killed.
    ///
    /// # Errors
    /// containerd's, or those of `output`.
    pub async fn run(
        mut self,
        input: impl AsyncRead + Send + Unpin,
        mut output: impl AsyncWrite + Send + Unpin,
    ) -> Result<u32, ExecError> {
        let Some((sender, receiver)) = self.pipes.take() else { return Err(ExecError::NotRunning) };
        let moved = self.move_bytes(input, &mut output, (sender, receiver)).await;
        self.clean().await;
        moved
    }

    async fn move_bytes(
        &self,
        input: impl AsyncRead + Send + Unpin,
        output: &mut (impl AsyncWrite + Send + Unpin),
        (sender, mut receiver): (Sender, Receiver),
    ) -> Result<u32, ExecError> {
        let feed = self.feed(input, sender);
        let wait = self.wait();
        tokio::pin!(feed, wait);
        let (mut feeding, mut buffer) = (true, vec![0; 32 << 10]);
        let status = loop {
            tokio::select! {
                () = &mut feed, if feeding => feeding = false,
                read = receiver.read(&mut buffer) => {
                    output.write_all(buffer.get(..read?).unwrap_or_default()).await?;
                    output.flush().await?;
                }
                status = &mut wait => break status?,
            }
        };
        // Removing the process waits until the shim has passed on all of its output.
        self.forget().await;
        while let Ok(read) = receiver.try_read(&mut buffer) {
            if read == 0 {
                break;
            }
            output.write_all(buffer.get(..read).unwrap_or_default()).await?;
        }
        output.flush().await?;
        Ok(status)
    }

    async fn feed(&self, mut input: impl AsyncRead + Send + Unpin, mut sender: Sender) {
        let _either_end_gone = tokio::io::copy(&mut input, &mut sender).await;
        drop(sender);
        let (container_id, exec_id) = (self.container.clone(), self.id.clone());
        let request = self.engine.ask(CloseIoRequest { container_id, exec_id, stdin: true });
        if let Ok(mut tasks) = self.engine.tasks().await {
            let _ended_already = tasks.close_io(request).await;
        }
    }

    async fn wait(&self) -> Result<u32, EngineError> {
        let wait = WaitRequest { container_id: self.container.clone(), exec_id: self.id.clone() };
        let request = self.engine.ask_forever(wait);
        let answer = self.engine.tasks().await?.wait(request).await.map_err(refused("wait for a program"))?;
        Ok(answer.into_inner().exit_status)
    }

    async fn forget(&self) {
        let Ok(mut tasks) = self.engine.tasks().await else { return };
        let (container_id, exec_id) = (self.container.clone(), self.id.clone());
        let request = self.engine.ask(DeleteProcessRequest { container_id, exec_id });
        if let Err(status) = tasks.delete_process(request).await {
            tracing::debug!(%status, "a program's rest stays until its container goes");
        }
    }

    async fn clean(&self) {
        if let Ok(mut tasks) = self.engine.tasks().await {
            let (container_id, exec_id) = (self.container.clone(), self.id.clone());
            let request = self.engine.ask(KillRequest { container_id, exec_id, signal: 9, all: false });
            if tasks.kill(request).await.is_ok() {
                let _gone = self.wait().await;
                self.forget().await;
            }
        }
        let _left_in_memory = fs::remove_dir_all(&self.folder);
    }
}
