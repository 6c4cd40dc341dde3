//! UDP sockets that are bound to one interface.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use nix::ifaddrs::getifaddrs;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// A socket on all addresses of one interface, for broadcast too. Broadcasts to 0.0.0.0's port arrive only so: a socket
/// bound to an address would not get them.
pub(super) fn on_interface(interface: &str, port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_broadcast(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// True when the interface has the address.
pub(super) fn has_address(interface: &str, address: Ipv4Addr) -> io::Result<bool> {
    let mut all = getifaddrs()?;
    Ok(all.any(|one| {
        one.interface_name == interface
            && one.address.as_ref().and_then(|a| a.as_sockaddr_in()).is_some_and(|a| a.ip() == address)
    }))
}
