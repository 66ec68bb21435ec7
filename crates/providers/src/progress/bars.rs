//! Progress bars on the terminal's error stream: one listener of a [`ProgressHub`].
//!
//! A bar appears only where loading takes a moment, is gone when loading ends, whatever its end, and never
//! touches standard output.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{ProgressEvent, ProgressHub, ProgressListener, Silence};

/// Loading that is over by then shows no bar.
const PATIENCE: Duration = Duration::from_millis(200);

/// A bar that follows a hub; dropping it takes the bar off the screen.
#[derive(Debug)]
pub struct Bars {
    drawing: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Bars {
    /// Draws what `hub` says from now on, from a thread of its own.
    ///
    /// # Errors
    ///
    /// [`std::io::Error`] where no thread can be started; nothing is drawn then.
    pub fn show(hub: &ProgressHub) -> std::io::Result<Self> {
        let listener = hub.subscribe();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let drawing = std::thread::Builder::new()
            .name("progress-bars".to_owned())
            .spawn(move || draw(&listener, &stopped))?;
        Ok(Self {
            drawing: Some(drawing),
            stop,
        })
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(drawing) = self.drawing.take() {
            // A panic while drawing has been reported by the panic hook; loading is not affected by it.
            let _ = drawing.join();
        }
    }
}

/// Draws until loading ends or the owner lets go.
fn draw(listener: &ProgressListener, stopped: &AtomicBool) {
    let started = Instant::now();
    let bar = ProgressBar::hidden();
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    while !stopped.load(Ordering::Relaxed) {
        if bar.is_hidden() && bar.length().is_some() && started.elapsed() >= PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        match listener.recv_timeout(Duration::from_millis(50)) {
            Ok(event) if show(&bar, &event) => {}
            Ok(_) | Err(Silence::Closed) => break,
            Err(Silence::Waited) => bar.tick(),
        }
    }
    bar.finish_and_clear();
}

/// Draws one event; false once loading has ended.
fn show(bar: &ProgressBar, event: &ProgressEvent) -> bool {
    match event {
        ProgressEvent::Resolve { path } | ProgressEvent::Map { path, .. } => {
            bar.set_message(
                path.file_name()
                    .unwrap_or(path.as_os_str())
                    .to_string_lossy()
                    .into_owned(),
            );
        }
        ProgressEvent::Look { model } => bar.set_message(model.clone()),
        ProgressEvent::Download {
            file, done, total, ..
        } => {
            bar.set_message(file.clone());
            bar.set_length(*total);
            bar.set_position(*done);
        }
        ProgressEvent::Verify { file, done, total } => {
            bar.set_message(format!("checking {file}"));
            bar.set_length(*total);
            bar.set_position(*done);
        }
        ProgressEvent::Load { done, total } => {
            bar.set_length(*total);
            bar.set_position(*done);
        }
        ProgressEvent::Ready { .. } | ProgressEvent::Failed { .. } => return false,
    }
    true
}
