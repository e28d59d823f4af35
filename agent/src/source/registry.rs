//! Every source, in the order in which their evidence is shown.

use super::address::Address;
use super::api_socket::ApiSockets;
use super::blocked::Blocked;
use super::certificate::{Certificates, ServedCertificate};
use super::cgroup::Cgroup;
use super::consumers::Consumers;
use super::cpu::Cpu;
use super::disk::Disk;
use super::filesystem::Filesystem;
use super::healthz::Healthz;
use super::kubeconfig::KubeconfigFile;
use super::kubelet_config::KubeletConfig;
use super::lease::sampler::Heartbeat;
use super::limits::Limits;
use super::link::Links;
use super::look::Sampler;
use super::machine::Machine;
use super::memory::Memory;
use super::pressure::Pressure;
use super::probe::sampler::ApiProbe;
use super::probe::target::Service;
use super::process::Processes;
use super::resolver::NameServers;
use super::route::Routes;
use super::runtime_socket::RuntimeSocket;
use super::unit::Unit;

/// All samplers. `service` is the API server's Service and the pod's account, in a pod.
pub fn samplers(service: Option<Service>) -> Vec<Box<dyn Sampler>> {
    vec![
        Box::new(Unit::default()),
        Box::new(Processes),
        Box::new(Healthz),
        Box::new(ApiProbe::new(service.clone())),
        Box::new(Heartbeat::new(service)),
        Box::new(ApiSockets),
        Box::new(NameServers),
        Box::new(Certificates),
        Box::new(ServedCertificate),
        Box::new(KubeconfigFile),
        Box::new(KubeletConfig),
        Box::new(RuntimeSocket),
        Box::new(Links::default()),
        Box::new(Routes),
        Box::new(Address),
        Box::new(Cgroup),
        Box::new(Pressure),
        Box::new(Memory::default()),
        Box::new(Cpu),
        Box::new(Filesystem::default()),
        Box::new(Disk),
        Box::new(Limits::default()),
        Box::new(Blocked),
        Box::new(Consumers),
        Box::new(Machine::default()),
    ]
}
