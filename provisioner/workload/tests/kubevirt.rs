//! Virtual machines as KubeVirt's objects, against YAML that was checked by hand with KubeVirt's user guide and API reference.

use cairn_contract::workload::{Registry, Vm};
use cairn_workload::virtual_machine;
use serde_json::{Value, json};

fn made(vm: Value) -> Result<Vec<Value>, String> {
    let vm: Vm = serde_json::from_value(vm).expect("a machine");
    let registry = Registry { address: "10.0.0.1:443".to_owned(), ca: Vec::new().into() };
    virtual_machine(&vm, "till", "shop", Some(&registry)).map_err(|p| p.to_string())
}

#[track_caller]
fn check(vm: Value, expected: &[&str]) {
    let expected: Vec<Value> =
        expected.iter().map(|text| serde_saphyr::from_str(text).expect("YAML of the test")).collect();
    let found = made(vm).expect("it can be had");
    assert_eq!(found, expected, "{}", serde_json::to_string_pretty(&found).expect("JSON"));
}

#[test]
fn an_ephemeral_machine_behind_the_pods_address() {
    check(
        json!({"cpus": 2, "memoryBytes": 1_073_741_824_u64, "run": "Once",
            "disks": [{"name": "root", "source": {"image": "os/till:7"}, "ephemeral": true},
                {"name": "scratch", "source": "blank", "sizeBytes": 2_147_483_648_u64, "ephemeral": true}],
            "nics": [{"name": "default", "ports": [{"host": 8080, "container": 80}]}],
            "userData": "#cloud-config\nhostname: till\n"}),
        &[
            "
apiVersion: v1
kind: Service
metadata: {name: till, namespace: shop}
spec:
  selector: {kubevirt.io/vm: till}
  ports: [{name: p8080-tcp, port: 8080, targetPort: 80, protocol: TCP}]
",
            "
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: till
  namespace: shop
  labels: {kubevirt.io/vm: till}
spec:
  runStrategy: RerunOnFailure
  template:
    metadata:
      labels: {kubevirt.io/vm: till}
    spec:
      domain:
        cpu: {cores: 2}
        memory: {guest: 1024Mi}
        devices:
          disks:
            - {name: root, bootOrder: 1, disk: {bus: virtio}}
            - {name: scratch, bootOrder: 2, disk: {bus: virtio}}
            - {name: cairn-cloud-init, disk: {bus: virtio}}
          interfaces:
            - {name: default, masquerade: {}, ports: [{port: 80, protocol: TCP}]}
      networks:
        - {name: default, pod: {}}
      volumes:
        - {name: root, containerDisk: {image: '10.0.0.1:443/os/till:7'}}
        - {name: scratch, emptyDisk: {capacity: 2048Mi}}
        - name: cairn-cloud-init
          cloudInitNoCloud:
            userData: |
              #cloud-config
              hostname: till
",
        ],
    );
}

#[test]
fn a_machine_that_keeps_its_disks_on_a_bridge_with_a_secret() {
    check(
        json!({"cpus": 1, "memoryBytes": 100_000_000,
            "disks": [{"name": "root", "source": {"image": "quay.io/os/till@sha256:00"}, "sizeBytes": 10_737_418_240_u64},
                {"name": "data", "source": "blank", "sizeBytes": 1_048_576}],
            "nics": [{"name": "lan", "bridge": "br-lan", "mac": "52:54:00:12:34:56"}],
            "userData": "password: cairn-secret-00"}),
        &[
            "
apiVersion: v1
kind: Secret
metadata: {name: till-cloud-init, namespace: shop}
stringData: {userdata: 'password: cairn-secret-00'}
",
            "
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: till
  namespace: shop
  labels: {kubevirt.io/vm: till}
spec:
  runStrategy: Always
  dataVolumeTemplates:
    - metadata: {name: till-root}
      spec:
        source: {registry: {url: 'docker://quay.io/os/till@sha256:00'}}
        storage: {resources: {requests: {storage: 10240Mi}}}
    - metadata: {name: till-data}
      spec:
        source: {blank: {}}
        storage: {resources: {requests: {storage: 1Mi}}}
  template:
    metadata:
      labels: {kubevirt.io/vm: till}
    spec:
      domain:
        cpu: {cores: 1}
        memory: {guest: '100000000'}
        devices:
          disks:
            - {name: root, bootOrder: 1, disk: {bus: virtio}}
            - {name: data, bootOrder: 2, disk: {bus: virtio}}
            - {name: cairn-cloud-init, disk: {bus: virtio}}
          interfaces:
            - {name: lan, bridge: {}, macAddress: '52:54:00:12:34:56'}
      networks:
        - {name: lan, multus: {networkName: br-lan}}
      volumes:
        - {name: root, dataVolume: {name: till-root}}
        - {name: data, dataVolume: {name: till-data}}
        - {name: cairn-cloud-init, cloudInitNoCloud: {secretRef: {name: till-cloud-init}}}
",
        ],
    );
}

#[test]
fn a_halted_machine_without_a_network() {
    check(
        json!({"cpus": 1, "memoryBytes": 67_108_864, "run": "Halted",
            "disks": [{"name": "root", "source": {"image": "x"}, "ephemeral": true}]}),
        &["
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: till
  namespace: shop
  labels: {kubevirt.io/vm: till}
spec:
  runStrategy: Halted
  template:
    metadata:
      labels: {kubevirt.io/vm: till}
    spec:
      domain:
        cpu: {cores: 1}
        memory: {guest: 64Mi}
        devices:
          disks:
            - {name: root, bootOrder: 1, disk: {bus: virtio}}
          autoattachPodInterface: false
      volumes:
        - {name: root, containerDisk: {image: '10.0.0.1:443/x'}}
"],
    );
}

#[test]
fn what_kubevirt_has_no_place_for_is_told_with_its_field() {
    for (vm, expected) in [
        (
            json!({"cpus": 1, "memoryBytes": 1, "disks": [{"name": "root", "source": {"image": "x"}}]}),
            "vm.disks[0].sizeBytes: a disk that is kept needs its size on a cluster; write sizeBytes",
        ),
        (
            json!({"cpus": 1, "memoryBytes": 1, "disks": [{"name": "root", "source": "blank", "ephemeral": true}]}),
            "vm.disks[0].sizeBytes: a disk that is blank needs its size on a cluster; write sizeBytes",
        ),
        (
            json!({"cpus": 1, "memoryBytes": 1, "disks": [], "nics": [{"name": "a"}, {"name": "b"}]}),
            "vm.nics[1]: a machine on a cluster has one interface without a bridge; give the others a bridge",
        ),
    ] {
        assert_eq!(made(vm), Err(expected.to_owned()));
    }
    let vm = json!({"cpus": 1, "memoryBytes": 1, "disks": [{"name": "root", "source": {"image": "x"}, "ephemeral": true}]});
    let vm: Vm = serde_json::from_value(vm).expect("a machine");
    let alone = virtual_machine(&vm, "till", "shop", None).map_err(|p| p.reason);
    assert_eq!(alone, Err("RegistryAbsent"));
}
