// SPDX-License-Identifier: Apache-2.0
// Counts packets and passes them on. `lab doctor` loads it: it asks the kernel for each helper that
// the lab's forwarding planes call.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static long step(__u32 index, void *context)
{
	struct __sk_buff *skb = *(struct __sk_buff **)context;

	// Nowhere to go to: interface 0 does not exist. The verifier checks the call all the same.
	bpf_clone_redirect(skb, 0, 0);
	return 1;
}

SEC("tc")
int trial(struct __sk_buff *skb)
{
	__u32 zero = 0;
	__u64 *packets = bpf_map_lookup_elem(&seen, &zero);

	if (packets)
		*packets += 1;
	if (skb->len == 0) { // never
		bpf_loop(1, step, &skb, 0);
		bpf_skb_adjust_room(skb, 40, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6);
		bpf_skb_vlan_push(skb, 0, 1);
		bpf_redirect(1, 0);
	}
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
