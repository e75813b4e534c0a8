// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// What arrives at a host, and when: attached to clsact ingress of a replica (`arrived`) and to
// clsact egress of the origin (`sent`). Everything is written into arrays that user space maps, so
// that reading costs nothing.
//
// Packets of the probe and of trains end here once they are counted: no socket waits for them.
// Anything else goes on. Times are CLOCK_MONOTONIC.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define DATA_PORT 1044 // as in mcastplan/lab/spec.py
#define PROBE_PORT 7001
#define TRAIN_PORT 7002

#define UFTP_FILESEG 9     // a block of a file; everything else on DATA_PORT is signalling
#define UFTP_HEADER_BYTES 24 // uftp_h 16, fileseg_h 8
#define PROBES (1 << 17)   // as in mcastlab/tap.py
#define TRAINS (1 << 15)

struct flow {
	__u64 packets;
	__u64 bytes; // of file content
	__u64 first_ns;
	__u64 last_ns;
};

struct mark {
	__u32 train; // whose packet this is; 0: nobody's
	__u32 copies;
	__u64 ns;
};

// What probes and trains carry, in network order.
struct label {
	__u32 train; // 0 in a probe
	__u32 sequence;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow);
} data SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TRAINS);
	__type(key, __u32);
	__type(value, struct mark);
} trains SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PROBES);
	__type(key, __u32);
	__type(value, struct mark);
} probes SEC(".maps");

static __always_inline void count_data(struct __sk_buff *skb, __u32 at, __u64 now)
{
	__u8 uftp[2]; // version, function
	__u32 zero = 0;
	struct flow *flow;

	if (bpf_skb_load_bytes(skb, at, uftp, sizeof(uftp)) || uftp[1] != UFTP_FILESEG)
		return;
	flow = bpf_map_lookup_elem(&data, &zero);
	if (!flow)
		return;
	if (!flow->first_ns)
		flow->first_ns = now;
	flow->last_ns = now;
	__sync_fetch_and_add(&flow->packets, 1);
	if (skb->len > at + UFTP_HEADER_BYTES)
		__sync_fetch_and_add(&flow->bytes, skb->len - at - UFTP_HEADER_BYTES);
}

static __always_inline void mark_arrival(void *map, struct __sk_buff *skb, __u32 at, __u64 now)
{
	struct label label;
	struct mark *mark;
	__u32 train, sequence;

	if (bpf_skb_load_bytes(skb, at, &label, sizeof(label)))
		return;
	train = bpf_ntohl(label.train);
	sequence = bpf_ntohl(label.sequence);
	mark = bpf_map_lookup_elem(map, &sequence); // none: the sequence is out of range
	if (!mark)
		return;
	if (!mark->copies || mark->train != train) {
		mark->train = train;
		mark->ns = now;
		mark->copies = 1;
	} else {
		mark->copies++;
	}
}

// The offset of the UDP payload and its destination port; 0 if this is no whole IPv4 UDP packet.
static __always_inline __u32 udp_payload(struct __sk_buff *skb, __u16 *port)
{
	struct iphdr ip;
	struct udphdr udp;
	__u32 at = sizeof(struct ethhdr);

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
		return 0;
	if (ip.protocol != IPPROTO_UDP || (ip.frag_off & bpf_htons(0x3fff)))
		return 0;
	at += ip.ihl * 4;
	if (bpf_skb_load_bytes(skb, at, &udp, sizeof(udp)))
		return 0;
	*port = bpf_ntohs(udp.dest);
	return at + sizeof(udp);
}

SEC("tc")
int arrived(struct __sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns();
	__u16 port = 0;
	__u32 at = udp_payload(skb, &port);

	if (!at)
		return TC_ACT_OK;
	switch (port) {
	case DATA_PORT:
		count_data(skb, at, now);
		return TC_ACT_OK;
	case PROBE_PORT:
		mark_arrival(&probes, skb, at, now);
		return TC_ACT_STOLEN; // not SHOT: it is no loss
	case TRAIN_PORT:
		mark_arrival(&trains, skb, at, now);
		return TC_ACT_STOLEN;
	}
	return TC_ACT_OK;
}

SEC("tc")
int sent(struct __sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns();
	__u16 port = 0;
	__u32 at = udp_payload(skb, &port);

	if (at && port == DATA_PORT)
		count_data(skb, at, now);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
