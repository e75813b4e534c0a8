/* A link that loses everything and says nothing: on clsact egress of both ends, gated by one map.
 *
 * Attached in advance; writing 1 to cut[0] is the fault's onset, 0 its end. Egress, because packet
 * sockets (OSPF, captures) see a packet before clsact ingress could drop it.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} cut SEC(".maps");

SEC("tc")
int drop(struct __sk_buff *skb)
{
    __u32 key = 0;
    __u32 *lost = bpf_map_lookup_elem(&cut, &key);

    /* UNSPEC: filters of a higher priority number on the same port still have their say. */
    return lost && *lost ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
