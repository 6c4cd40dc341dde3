//! Network boot protocols as values: PXE's reading of DHCP, the TFTP transfer machine, boot scripts.
