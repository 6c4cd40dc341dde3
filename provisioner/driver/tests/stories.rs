//! What becomes of hosts, told as stories on a real store.

mod story;

use story::check;

#[test]
fn a_registered_host_comes_to_run() {
    check(
        "
        register rack-1 serial=S1 -> rack-1 registered
        knock 1 -> nobody
        prove E1 serial=s1 mac=1 claimed -> rack-1 attesting (known)
        prove E1 serial=s1 mac=1 install=1 -> rack-1 installing (known)
        host rack-1 progress=1 -> rack-1 installing
        knock 1 -> rack-1 installing
        host rack-1 finished=1 -> rack-1 first boot
        prove E1 serial=s1 mac=1 agent -> rack-1 running (known)
        host rack-1 heartbeat -> rack-1 running
        +59s -> rack-1 running
        host rack-1 heartbeat -> rack-1 running
        +61s -> rack-1 silent
        host rack-1 heartbeat -> rack-1 running
        effects ->
        timeline rack-1 ->
          | host.registered: an operator registered rack-1 [registered]
          | boot.asked: knocked
          | identity.bound: its TPM is known now: 22249aa61fd2594e; no other will be accepted for this host
          | attest: claimed [attesting]
          | attest: installerproven [installing]
          | report: installprogressed
          | boot.asked: knocked
          | report: installfinished [first boot]
          | attest: agentproven [running]
          | deadline.heartbeat: no heartbeat for 60 s [silent]
          | host.state: the host is running now [running]
        ",
    );
}

#[test]
fn an_unknown_machine_waits_until_a_person_lets_it_in() {
    check(
        "
        knock 9 -> nobody
        machine 9 ->
          | boot.asked: knocked
        prove E9 serial=S9 mac=9 install=1 -> s9-2032ea40 pending (new)
        knock 9 -> s9-2032ea40 pending
        +100000s -> s9-2032ea40 pending
        prove E9 serial=S9 mac=9 install=2 -> s9-2032ea40 pending (known)
        retry s9 -> refused: not possible for a host that is pending
        reinstall s9 -> refused: not possible for a host that is pending
        accept s9 Bad_Name -> refused: \"Bad_Name\" is not a host name: a host name is 1 to 63 of a-z, 0-9 and '-', and neither begins nor ends with '-'
        accept s9 rack-9 -> rack-9 registered
        accept rack-9 -> refused: not possible for a host that is registered
        prove E9 serial=S9 mac=9 install=3 -> rack-9 installing (known)
        prove E8 serial=S9 mac=8 claimed -> s9-a8d0a111 quarantined (conflict)
        timeline rack-9 ->
          | boot.asked: knocked
          | host.pending: nobody has registered this machine yet. Check its serial number, then: cairn host accept s9-2032ea40 [pending]
          | attest: installerproven
          | boot.asked: knocked
          | attest: installerproven
          | host.accepted: an operator accepted this machine as rack-9 [registered]
          | attest: installerproven [installing]
          | identity.conflict: another machine presented this host's names with the TPM a8d0a1117e28efe9; it is in quarantine as s9-a8d0a111
        ",
    );
}

#[test]
fn registering_a_machine_that_waits_lets_it_in_under_that_name() {
    check(
        "
        prove E1 serial=S1 mac=1 claimed -> s1-22249aa6 pending (new)
        prove E2 serial=S1 mac=2 claimed -> s1-713a5bb2 pending (new)
        register rack-1 serial=S1 -> refused: several waiting machines fit: s1-22249aa6, s1-713a5bb2; accept one of them by its name
        register rack-1 mac=2 ek=E1 -> rack-1 registered
        register rack-2 serial=S1 ek=E2 -> refused: serial number s1 belongs to host rack-1 already
        register rack-3 serial=S1 -> refused: serial number s1 belongs to host rack-1 already
        register rack-2 serial=S4 -> rack-2 registered
        prove E2 serial=S1 mac=2 install=1 -> s1-713a5bb2 quarantined (conflict)
        ",
    );
}

#[test]
fn a_registered_serial_with_another_tpm_is_quarantined_and_the_host_is_warned() {
    check(
        "
        register rack-1 serial=S1 -> rack-1 registered
        prove E1 serial=S1 mac=1 install=1 -> rack-1 installing (known)
        prove E2 serial=S1 mac=2 install=2 -> s1-713a5bb2 quarantined (conflict)
        prove E2 serial=S1 mac=2 install=3 -> s1-713a5bb2 quarantined (known)
        host rack-1 progress=1 -> rack-1 installing
        knock 2 -> s1-713a5bb2 quarantined
        effects ->
        timeline rack-1 ->
          | host.registered: an operator registered rack-1 [registered]
          | identity.bound: its TPM is known now: 22249aa61fd2594e; no other will be accepted for this host
          | attest: installerproven [installing]
          | identity.conflict: another machine presented this host's names with the TPM 713a5bb2d170c868; it is in quarantine as s1-713a5bb2
          | report: installprogressed
        timeline s1- ->
          | host.quarantined: its TPM is not the one known for rack-1. If its mainboard or TPM was replaced, remove the old record and register it anew. If not, someone presents a serial number that is not theirs: find the machine by the address on its timeline. [quarantined]
          | attest: installerproven
          | attest: installerproven
          | boot.asked: knocked
        retry s1- -> s1-713a5bb2 registered
        prove E2 serial=S1 mac=2 install=3 -> s1-713a5bb2 quarantined (conflict)
        remove rack-1 -> rack-1 installing
        effects -> disconnect, void 1
        register rack-1 serial=S1 -> refused: serial number s1 belongs to host s1-713a5bb2 already
        remove s1- -> s1-713a5bb2 quarantined
        register rack-1 serial=S1 -> rack-1 registered
        prove E2 serial=S1 mac=2 install=3 -> rack-1 installing (known)
        site ->
          | host.removed: an operator removed the host rack-1
          | host.removed: an operator removed the host s1-713a5bb2
        ",
    );
}

#[test]
fn refused_evidence_binds_no_tpm_to_a_registered_serial() {
    check(
        "
        register rack-1 serial=S1 -> rack-1 registered
        prove E1 serial=S1 mac=1 refused -> rack-1 quarantined (known)
        timeline rack-1 ->
          | host.registered: an operator registered rack-1 [registered]
          | identity.unbound: its TPM 22249aa61fd2594e is not bound to this host: its evidence was refused
          | attest: its evidence was refused: PCR 4 differs [quarantined]
        retry rack-1 -> rack-1 registered
        prove E2 serial=S1 mac=2 install=1 -> rack-1 installing (known)
        prove E1 serial=S1 mac=1 install=2 -> s1-22249aa6 quarantined (conflict)
        ",
    );
}

#[test]
fn a_running_host_that_presents_the_names_of_another_is_cut_off() {
    check(
        "
        register a serial=S1 -> a registered
        register b serial=S2 -> b registered
        prove E1 serial=S1 mac=1 install=1 -> a installing (known)
        host a finished=1 -> a first boot
        prove E1 serial=S1 mac=1 agent -> a running (known)
        prove E1 serial=S2 mac=1 agent -> a quarantined (conflict)
        effects -> disconnect
        prove E2 serial=S2 mac=2 install=2 -> b installing (known)
        timeline b ->
          | host.registered: an operator registered b [registered]
          | identity.conflict: another machine presented this host's names with the TPM 22249aa61fd2594e; it is in quarantine as a
          | identity.bound: its TPM is known now: 713a5bb2d170c868; no other will be accepted for this host
          | attest: installerproven [installing]
        ",
    );
}

#[test]
fn refused_evidence_stops_a_host_until_a_person_lets_it_go_on() {
    check(
        "
        register a serial=S1 -> a registered
        prove E1 serial=S1 mac=1 install=1 -> a installing (known)
        prove E1 serial=S1 mac=1 refused -> a quarantined (known)
        host a progress=1 -> a quarantined
        effects -> void 1
        knock 1 -> a quarantined
        accept a -> refused: not possible for a host that is quarantined
        retry a -> a registered
        prove E1 serial=S1 mac=1 install=2 -> a installing (known)
        timeline a ->
          | host.registered: an operator registered a [registered]
          | identity.bound: its TPM is known now: 22249aa61fd2594e; no other will be accepted for this host
          | attest: installerproven [installing]
          | attest: its evidence was refused: PCR 4 differs [quarantined]
          | report: installprogressed
          | boot.asked: knocked
          | host.retried: an operator let it try again [registered]
          | attest: installerproven [installing]
        ",
    );
}

#[test]
fn what_proves_nothing_can_neither_stop_nor_start_a_host() {
    check(
        "
        register a serial=S1 mac=1 -> a registered
        wire 1 install=1 -> a registered
        wire 1 agent -> a registered
        wire 1 claimed -> a attesting
        prove E1 serial=S1 mac=1 install=2 -> a installing (known)
        wire 1 refused -> a installing
        wire 1 finished=2 -> a installing
        host a finished=2 -> a first boot
        prove E1 serial=S1 mac=1 agent -> a running (known)
        wire 1 refused -> a running
        knock 1 -> a running
        register b mac=7 -> b registered
        wire 7 refused -> b registered
        ",
    );
}

#[test]
fn attempts_are_counted_and_end() {
    check(
        "
        register a serial=S1 -> a registered
        prove E1 serial=S1 mac=1 install=1 -> a installing (known)
        +301s -> a booting
        prove E1 serial=S1 mac=1 install=2 -> a installing (known)
        prove E1 serial=S1 mac=1 install=3 -> a installing (known)
        host a progress=2 -> a installing
        host a failed=3 -> a failed
        host a progress=3 -> a failed
        effects -> void 1, void 2, void 3
        prove E1 serial=S1 mac=1 install=4 -> a failed (known)
        reinstall a -> a registered
        prove E1 serial=S1 mac=1 install=5 -> a installing (known)
        +301s -> a booting
        +601s -> a failed
        timeline a ->
          | host.registered: an operator registered a [registered]
          | identity.bound: its TPM is known now: 22249aa61fd2594e; no other will be accepted for this host
          | attest: installerproven [installing]
          | deadline.install: its installer was silent for 5 min; this attempt is over [booting]
          | attest: installerproven [installing]
          | attest: installerproven [installing]
          | report: installprogressed
          | report: installfailed
          | host.failed: the installation failed: image data did not match its signed digest. Check the stored image with: cairn image ls, add it again, then: cairn host retry a [failed]
          | report: installprogressed
          | attest: installerproven
          | host.reinstall: an operator ordered a new installation; it begins at its next boot from the network [registered]
          | attest: installerproven [installing]
          | deadline.install: its installer was silent for 5 min; this attempt is over [booting]
          | deadline.boot: no installer reported within 10 min of its boot request
          | host.failed: it started to boot from the network, and nothing followed. Look at the last step on its timeline and at its console. [failed]
        ",
    );
}

#[test]
fn a_failing_effect_is_tried_again_with_pauses() {
    check(
        "
        register a serial=S1 -> a registered
        prove E1 serial=S1 mac=1 install=1 -> a installing (known)
        reinstall a -> a registered
        fail 2 ->
        effects ->
        effects ->
        +1s -> a registered
        effects ->
        +1s -> a registered
        effects ->
        +1s -> a registered
        effects -> void 1
        effects ->
        ",
    );
}

#[test]
fn orders_that_make_no_sense_say_why() {
    check(
        "
        register a -> refused: nothing identifies the host: give a serial number, UUID, address or EK
        register -a- serial=S1 -> refused: \"-a-\" is not a host name: a host name is 1 to 63 of a-z, 0-9 and '-', and neither begins nor ends with '-'
        register a uuid=12 -> refused: \"12\" is not a UUID
        register a uuid=00000000-0000-0000-0000-000000000000 -> refused: \"00000000-0000-0000-0000-000000000000\" is not a UUID
        register a serial=S1 mac=1 uuid=1111111122223333444455555555AAAA -> a registered
        register a serial=S2 -> refused: a host named a exists already
        register b serial=s1 -> refused: serial number s1 belongs to host a already
        register b mac=1 -> refused: address 52:54:00:00:00:01 belongs to host a already
        register b uuid=11111111-2222-3333-4444-55555555aaaa -> refused: UUID 11111111-2222-3333-4444-55555555aaaa belongs to host a already
        retry a -> refused: not possible for a host that is registered
        accept a -> refused: not possible for a host that is registered
        register b ek=E1 -> b registered
        register c ek=E1 -> refused: EK 22249aa61fd2594e50910aa574afbb977f9df8f7377e6f02e19c72245d899ad8 belongs to host b already
        prove E1 serial=XX mac=5 claimed -> b attesting (known)
        register c mac=5 -> refused: address 52:54:00:00:00:05 belongs to host b already
        ",
    );
}
