//! Trouble on the wire: a cable that is pulled, frames that are lost, a server that is not heard.

use serde_json::json;

use crate::arguments::NIC;
use crate::net::{Net, NetError};
use crate::qmp::QmpError;
use crate::running::Running;
use crate::tool::ToolError;
use crate::wire::{Tally, Weather, Wire};

/// The state of a guest's cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    /// Carries frames.
    Plugged,
    /// The guest sees its link go down.
    Pulled,
    /// The guest sees a link, but no frame passes: a dead switch.
    Silent,
}

/// Why a fault could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// QEMU refused.
    #[error("cannot change the guest's link")]
    Link(#[source] QmpError),
    /// `ip` refused.
    #[error("cannot change the guest's port")]
    Port(#[source] ToolError),
}

impl Running {
    /// Changes the state of its cable.
    pub fn cable(&self, state: Cable) -> Result<(), FaultError> {
        let arguments = json!({ "name": NIC, "up": state != Cable::Pulled });
        self.qmp().and_then(|mut qmp| qmp.execute("set_link", arguments)).map_err(FaultError::Link)?;
        let port = if state == Cable::Silent { "down" } else { "up" };
        self.tap.set(port).map_err(FaultError::Port)
    }

    /// Changes the weather on its cable; nothing happens to a guest that was started without any.
    pub fn weather(&self, weather: Weather) {
        self.wire.iter().for_each(|wire| wire.set(weather));
    }

    /// What the weather has done since power-on.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.wire.as_ref().map(Wire::tally).unwrap_or_default()
    }
}

impl Net {
    /// Takes the server off the network: its programs run on, but no frame reaches them.
    pub fn sever_server(&self) -> Result<(), NetError> {
        self.ip_inside(&["link", "set", Self::BRIDGE, "down"])
    }

    /// Puts the server back.
    pub fn mend_server(&self) -> Result<(), NetError> {
        self.ip_inside(&["link", "set", Self::BRIDGE, "up"])
    }
}
