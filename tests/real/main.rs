//! Real `WireGuard`: the program as it is installed, a hub and routers in network namespaces of their
//! own, handshakes that really happen.
//!
//! `sessions`, `survive`, `safety` and `scripts` run twice: here on a userspace `WireGuard`, and on the Linux kernel's own
//! inside the small virtual machine that `vm` builds and boots. `userspace` and `kernel` hold what is
//! true of one of them only. `quickstart` runs the demonstration of the README, `manual` every
//! example of the manual, `examples` the scripts of that name; `shells` types into bash, zsh and fish. Nothing here touches the network of the machine: every interface lives
//! in a namespace that the test made, and goes with it.

mod addresses;
mod adoption;
mod ansible;
mod bench;
mod boundary;
mod browser;
mod conf;
mod drift;
mod examples;
mod history;
mod hub;
mod kernel;
mod link;
mod manual;
mod monitoring;
mod netns;
mod ownership;
mod quickstart;
mod reboot;
mod rotation;
mod router;
mod routeros;
mod safety;
mod scripts;
mod sessions;
mod shells;
mod survive;
mod userspace;
mod vm;
mod watch;
