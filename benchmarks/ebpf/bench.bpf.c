/* Both ends of the forwarding benchmark: frames without a sender, and a sink that counts. */
#include "common.h"

#define HEAD_BYTES 192
#define PORTS 64

/* How every frame begins. What a forwarder wrote into a page is still there when the page is used
 * again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[HEAD_BYTES / 8]);
} head SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PORTS);
	__type(key, __u32); /* ifindex */
	__type(value, __u64);
} arrived SEC(".maps");

SEC("xdp")
int generate(struct xdp_md *ctx) {
	__u32 only = 0;
	__u64 *from = bpf_map_lookup_elem(&head, &only);
	__u64 *to = (void *)(long)ctx->data;
	if (!from || (void *)(to + HEAD_BYTES / 8) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma unroll
	for (int i = 0; i < HEAD_BYTES / 8; i++)
		to[i] = from[i];
	return XDP_PASS;
}

/* Makes a veth port one that live frames may be received on. */
SEC("xdp")
int pass(struct xdp_md *ctx) { return XDP_PASS; }

SEC("tc")
int sink(struct __sk_buff *skb) {
	__u32 port = skb->ifindex;
	__u64 *count = bpf_map_lookup_elem(&arrived, &port);
	if (count)
		(*count)++;
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "GPL";
