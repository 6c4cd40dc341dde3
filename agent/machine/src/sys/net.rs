//! netdevice(7) and the routing ioctls: link up, address, default route.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::libc;
use socket2::{Domain, Socket, Type};

fn socket() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM, None)
}

/// An `ifreq` for the interface, all else zero.
fn request(nic: &str) -> io::Result<libc::ifreq> {
    // SAFETY: `ifreq` is plain data of integers and byte arrays, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if nic.is_empty() || nic.len() >= request.ifr_name.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "impossible interface name"));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(nic.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    Ok(request)
}

fn address(ip: Ipv4Addr) -> libc::sockaddr {
    let [a, b, c, d] = ip.octets();
    let [a, b, c, d] = [a, b, c, d].map(|v| libc::c_char::from_ne_bytes([v]));
    // A `sockaddr_in` seen as `sockaddr`: two bytes of port, then the address.
    let mut sa_data = [0; 14];
    sa_data[2..6].copy_from_slice(&[a, b, c, d]);
    libc::sockaddr { sa_family: libc::sa_family_t::try_from(libc::AF_INET).unwrap_or(2), sa_data }
}

fn call(socket: &Socket, number: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: the descriptor is open, and every `SIOC[GS]IF*` call used here reads or writes one `ifreq`.
    match unsafe { libc::ioctl(socket.as_raw_fd(), number, std::ptr::from_mut(request)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets IFF_UP.
pub(crate) fn set_up(nic: &str) -> io::Result<()> {
    let (socket, mut request) = (socket()?, request(nic)?);
    call(&socket, libc::SIOCGIFFLAGS, &mut request)?;
    let up = libc::c_short::try_from(libc::IFF_UP).unwrap_or(1);
    // SAFETY: SIOCGIFFLAGS filled this member of the union.
    request.ifr_ifru.ifru_flags = unsafe { request.ifr_ifru.ifru_flags } | up;
    call(&socket, libc::SIOCSIFFLAGS, &mut request)
}

/// Sets address and mask; 0.0.0.0 removes the address.
pub(crate) fn set_address(nic: &str, ip: Ipv4Addr, mask: Ipv4Addr) -> io::Result<()> {
    let (socket, mut request) = (socket()?, request(nic)?);
    request.ifr_ifru.ifru_addr = address(ip);
    call(&socket, libc::SIOCSIFADDR, &mut request)?;
    if ip.is_unspecified() {
        return Ok(());
    }
    request.ifr_ifru.ifru_netmask = address(mask);
    call(&socket, libc::SIOCSIFNETMASK, &mut request)
}

/// Adds 0.0.0.0/0 through `router`; one that is there already is fine.
pub(crate) fn add_default_route(nic: &str, router: Ipv4Addr) -> io::Result<()> {
    let socket = socket()?;
    let mut name = request(nic)?.ifr_name;
    // SAFETY: `rtentry` is plain data of integers, arrays and one pointer, for which zero is a value.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = address(Ipv4Addr::UNSPECIFIED);
    route.rt_genmask = address(Ipv4Addr::UNSPECIFIED);
    route.rt_gateway = address(router);
    route.rt_flags = libc::RTF_UP | libc::RTF_GATEWAY;
    route.rt_dev = name.as_mut_ptr();
    // SAFETY: SIOCADDRT reads one `rtentry`; `rt_dev` points to a NUL-terminated name that outlives the call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCADDRT, std::ptr::from_mut(&mut route)) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            e if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            e => Err(e),
        },
    }
}
