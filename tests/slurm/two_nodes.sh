#!/bin/bash
# Two nodes on one machine: two network namespaces, an address each, and a cable (veth) between them.
#
#     sudo --preserve-env=PATH bash tests/slurm/two_nodes.sh
#
# Runs the last commit's smoke pipeline on one node, then on two: the data stages on a Ray cluster
# whose head has no CPUs, training (DDP and FSDP2) and an evaluation by conf/train/launch/slurm.yaml.
# Says for each whether the files are the same bytes, and how many bytes went through the cable.
# Needs root, iproute2 and the project's environment; srun is a stand-in. About five minutes.
set -euo pipefail
scratch=$(mktemp -d) one=mathledger1 two=mathledger2
export OMP_NUM_THREADS=1 DVC_NO_ANALYTICS=1 HF_HUB_OFFLINE=1 RAY_USAGE_STATS_ENABLED=0
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=0123456789abcdef0123456789abcdef

on() { ip netns exec "$@"; }  # on NODE COMMAND ...

clean_up() {
    for node in $one $two; do
        ip netns pids $node | xargs --no-run-if-empty kill -KILL || true
        ip netns delete $node || true
    done
    rm -rf "$scratch"
}
trap clean_up EXIT

for node in $one $two; do
    ip netns add $node
    ip -n $node link set lo up
done
ip -n $one link add cable type veth peer name cable netns $two
ip -n $one address add 10.77.0.1/24 dev cable
ip -n $two address add 10.77.0.2/24 dev cable
ip -n $one link set cable up
ip -n $two link set cable up

# srun of this job, called on the first node: the command on both. The names of real nodes would
# tell torchrun what is told it here: its own address, and who waits for the others.
mkdir "$scratch/bin"
cat > "$scratch/bin/srun" <<'SRUN'
#!/bin/bash
while [[ $1 == --* ]]; do shift; done
export GLOO_SOCKET_IFNAME=cable
PET_RDZV_CONF=is_host=1 PET_LOCAL_ADDR=10.77.0.1 ip netns exec mathledger1 "$@" &
PET_RDZV_CONF=is_host=0 PET_LOCAL_ADDR=10.77.0.2 ip netns exec mathledger2 "$@" &
wait -n && wait -n || { kill $(jobs -p); exit 1; }
SRUN
chmod +x "$scratch/bin/srun"
export PATH=$scratch/bin:$PATH
export SLURM_JOB_ID=1 SLURM_NNODES=2 SLURMD_NODENAME=10.77.0.1

git clone --quiet . "$scratch/project"
cd "$scratch/project"
samples=data/evaluate/tuned-tiny_chain_sum
declare -A before

configure() { python -m stages.params experiment=smoke "$@"; }

digest() { find "$@" -type f | sort | xargs sha256sum | sha256sum; }

crossed() { on $one awk '/cable/ { print $2 + $10 }' /proc/net/dev; }

repro() {  # repro NODE STAGE, without what an earlier run left
    rm -rf .scratch
    on "$1" dvc repro --force --single-item "$2" >> log 2>&1 || { tail -n 50 log; exit 1; }
}

compare() {  # compare NAME STAGE OUT: on two nodes, with one
    local sent
    sent=$(crossed)
    repro $one "$2"
    [[ $(digest "$3") == "${before[$1]}" ]] && same=same || same=DIFFERENT
    echo "$1: $same bytes, $(($(crossed) - sent)) bytes through the cable"
}

configure
dvc repro evaluate@tuned-tiny_chain_sum > log 2>&1 || { tail -n 50 log; exit 1; }
before[deduplicate]=$(digest data/deduplicate)
before[decontaminate]=$(digest data/decontaminate)
before[evaluate]=$(digest $samples)

on $one ray start --head --node-ip-address 10.77.0.1 --num-cpus 0 --block >> log 2>&1 &
sleep 10
on $two ray start --address 10.77.0.1:6379 --node-ip-address 10.77.0.2 --num-cpus 1 --block >> log 2>&1 &
sleep 10
configure engine=ray engine.ray_address=10.77.0.1:6379
compare deduplicate deduplicate data/deduplicate
compare decontaminate decontaminate data/decontaminate

configure train/launch@evaluate.launch=slurm evaluate.launch.{num_processes=2,sharding=none}
compare evaluate evaluate@tuned-tiny_chain_sum $samples

for way in ddp fsdp2; do
    configure train/launch=$way train.launch.num_processes=2
    repro $one train
    before[train-$way]=$(digest data/model/tuned)
    configure train/launch=slurm train.launch.num_processes=2 \
        train.launch.sharding=$([[ $way == ddp ]] && echo none || echo fsdp2)
    compare train-$way train data/model/tuned
done
