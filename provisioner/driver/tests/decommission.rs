//! The way out of service, told as stories on a real store.

mod story;

use story::check;

#[test]
fn a_running_host_is_wiped_and_its_machine_is_nobodys() {
    check(
        "
        register a serial=S1 mac=1 -> a registered
        decommission a -> refused: not possible for a host that is not installed: nothing is there to wipe, and it can be removed
        prove E1 serial=S1 mac=2 install=1 -> a installing (known)
        host a finished=1 -> a first boot
        prove E1 serial=S1 mac=2 agent -> a running (known)
        decommission a -> a retiring
        decommission a -> refused: not possible for a host that is retiring
        effects -> disconnect
        prove E1 serial=S1 mac=2 agent -> a retiring (known)
        host a heartbeat -> a retiring
        knock 1 -> a retiring
        prove E1 serial=S1 mac=2 install=2 -> a wiping (known)
        host a progress=2 -> a wiping
        retry a -> refused: not possible for a host that is wiping
        prove E1 serial=S1 mac=2 install=3 -> a wiping (known)
        effects -> void 2
        host a wiped=2 -> a wiping
        host a wiped=3 -> a retired
        effects -> void 3
        reinstall a -> refused: not possible for a host that is retired
        deauthorise a -> refused: not possible for a host that is retired
        knock 1 -> nobody
        knock 2 -> nobody
        prove E1 serial=S1 mac=2 install=4 -> s1-22249aa6 pending (new)
        remove s1- -> s1-22249aa6 pending
        register b serial=S1 mac=1 ek=E1 -> b registered
        prove E1 serial=S1 mac=1 install=5 -> b installing (known)
        remove a -> a retired
        timeline b ->
          | boot.asked: knocked
          | host.registered: an operator registered b [registered]
          | identity.bound: its TPM is known now: 22249aa61fd2594e; no other will be accepted for this host
          | attest: installerproven [installing]
        ",
    );
}

#[test]
fn a_decommission_is_taken_back_or_fails_with_what_to_do() {
    check(
        "
        register a serial=S1 -> a registered
        prove E1 serial=S1 mac=1 install=1 -> a installing (known)
        decommission a -> refused: not possible for a host that is not installed: nothing is there to wipe, and it can be removed
        host a finished=1 -> a first boot
        decommission a -> a retiring
        retry a -> a silent
        prove E1 serial=S1 mac=1 agent -> a running (known)
        decommission a -> a retiring
        prove E1 serial=S1 mac=1 install=2 -> a wiping (known)
        +301s -> a retiring
        prove E1 serial=S1 mac=1 install=3 -> a wiping (known)
        prove E1 serial=S1 mac=1 install=4 -> a wiping (known)
        +301s -> a failed
        retry a -> a retiring
        timeline a ->
          | host.registered: an operator registered a [registered]
          | identity.bound: its TPM is known now: 22249aa61fd2594e; no other will be accepted for this host
          | attest: installerproven [installing]
          | report: installfinished [first boot]
          | host.decommission: an operator takes it out of service: its connections end, its certificate is void, and its next boot from the network wipes its disk [retiring]
          | host.retried: an operator let it try again [silent]
          | attest: agentproven [running]
          | host.decommission: an operator takes it out of service: its connections end, its certificate is void, and its next boot from the network wipes its disk [retiring]
          | attest: installerproven [wiping]
          | deadline.wipe: its installer was silent for 5 min; this wipe is over [retiring]
          | attest: installerproven [wiping]
          | attest: installerproven [wiping]
          | deadline.wipe: its installer was silent for 5 min; this wipe is over
          | host.failed: the installer that wiped its disk stopped reporting. Check its power and cable. To wipe at its next boot from the network: cairn host retry a [failed]
          | host.retried: an operator let it try again [retiring]
        ",
    );
}
