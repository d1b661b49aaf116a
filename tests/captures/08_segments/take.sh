#!/bin/sh
# Takes the captures of this folder anew: sh take.sh FOLDER, as root, with tcpdump, iproute2, ethtool and python3.
#
# Two network namespaces and a veth pair between them, which are made here and removed at the end. Nothing leaves
# the machine. Ports, times and TCP sequence numbers differ from run to run: see README.md for what to do afterwards.
set -eu
out=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
a=segments-a-$$
b=segments-b-$$

cleanup() {
  ip netns del "$a" 2>/dev/null || true
  ip netns del "$b" 2>/dev/null || true
}
ip netns add "$a"
ip netns add "$b"
trap cleanup EXIT
trap 'exit 1' INT TERM

ip link add eth-a netns "$a" address 02:00:00:00:00:01 type veth peer name eth-b netns "$b" address 02:00:00:00:00:02
for end in a b; do
  eval ns=\$$end
  number=$([ "$end" = a ] && echo 1 || echo 2)
  # Checksums and segments are the kernel's own work here, as without a network card that does it.
  ip netns exec "$ns" ethtool -K "eth-$end" tx off rx off gso off gro off tso off >/dev/null 2>&1
  ip -n "$ns" addr add "10.8.0.$number/24" dev "eth-$end"
  ip -n "$ns" addr add "fd08::$number/64" dev "eth-$end" nodad
  ip -n "$ns" link set lo up
  ip -n "$ns" link set "eth-$end" up
done
sleep 1

# capture NAMESPACE FILE FILTER "TCPDUMP OPTIONS" TRAFFIC...: what TRAFFIC (traffic.py) makes, seen with these options.
capture() {
  ns=$1 file=$2 filter=$3 options=$4
  shift 4
  : >"$out/$file.log"
  # shellcheck disable=SC2086
  ip netns exec "$ns" tcpdump -q -U --immediate-mode -Z root $options -w "$out/$file.pcap" "$filter" 2>"$out/$file.log" &
  tcpdump=$!
  while ! grep -q "listening on" "$out/$file.log"; do
    kill -0 "$tcpdump" || exit 1
    sleep 0.1
  done
  python3 "$here/traffic.py" "$a" "$b" "$@"
  sleep 1
  kill -INT "$tcpdump"
  wait "$tcpdump" || true
  rm "$out/$file.log"
}

capture "$b" udp4 "udp and not port 5353" "-i eth-b" udp 10.8.0.1 10.8.0.2
capture "$b" udp6 "udp and not port 5353" "-i eth-b" udp fd08::1 fd08::2
capture "$b" udp_no_checksum udp "-i eth-b" udp-no-checksum 10.8.0.1 10.8.0.2
capture "$b" udp_options "udp" "-i eth-b" udp-options 10.8.0.1 10.8.0.2
capture "$b" padded "udp and len == 60" "-i eth-b" udp-padded 10.8.0.1 10.8.0.2
capture "$b" fragments "ip and not icmp" "-i eth-b" udp-fragments 10.8.0.1 10.8.0.2
capture "$a" tcp4 tcp "-i eth-a" tcp 10.8.0.1 10.8.0.2
capture "$a" tcp6 tcp "-i eth-a" tcp fd08::1 fd08::2
capture "$a" loopback "udp or tcp" "-i lo" loopback 127.0.0.1 127.0.0.1
capture "$b" nanoseconds udp "-i eth-b --time-stamp-precision=nano" udp 10.8.0.1 10.8.0.2
capture "$b" cut "udp or tcp" "-i eth-b -s 60" cut 10.8.0.1 10.8.0.2
capture "$a" cooked_v1 "udp or tcp" "-i any -y LINUX_SLL" cooked 10.8.0.1 10.8.0.2
capture "$a" cooked_v2 "udp or tcp" "-i any -y LINUX_SLL2" cooked fd08::1 fd08::2
ip -n "$a" neigh flush all
ip -n "$b" neigh flush all
capture "$b" mixed "" "-i eth-b" mixed 10.8.0.1 10.8.0.2
if ip -n "$a" link add link eth-a name eth-a.7 type vlan id 7 2>/dev/null; then
  ip -n "$b" link add link eth-b name eth-b.7 type vlan id 7
  ip -n "$a" addr add 10.8.7.1/24 dev eth-a.7
  ip -n "$b" addr add 10.8.7.2/24 dev eth-b.7
  ip -n "$a" link set eth-a.7 up
  ip -n "$b" link set eth-b.7 up
  capture "$b" vlan "vlan and (udp or tcp)" "-i eth-b" cooked 10.8.7.1 10.8.7.2
else
  capture "$b" vlan "vlan and udp" "-i eth-b" vlan-by-hand 10.8.0.1 10.8.0.2
fi
ip -n "$a" tuntap add tun0 mode tun
ip -n "$a" addr add 10.8.9.1/24 dev tun0
ip -n "$a" addr add fd09::1/64 dev tun0 nodad
ip -n "$a" link set tun0 up
capture "$a" raw_ip "udp or tcp" "-i tun0" tun 10.8.9.1 10.8.9.2
