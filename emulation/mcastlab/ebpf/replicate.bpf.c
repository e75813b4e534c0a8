/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
 *
 * SRv6 replication segments (RFC 9524): End.Replicate on a router's core ports, H.Encaps into a
 * replication segment on its origin ports.
 *
 * A Replication-SID is locator:function:instance:: (48, 16, 16 bits, then zeros). The whole of a
 * locator whose function is not 0 belongs to this program: it is replicated, delivered or dropped
 * and counted, and never goes on to the kernel, so that a stale SID cannot loop. Anything else is
 * none of its business: transit nodes forward by the kernel's FIB.
 *
 * Each branch asks the kernel's FIB at that instant, so SIDs heal as fast as the IGP writes routes.
 * A branch with an adjacency SID (End.X, used up by this very node) leaves through its port whatever
 * the FIB says, and shows an SRH with no segments left (RFC 8754). Where the FIB's next hop has no
 * MAC address yet, the copy goes through the kernel's own forwarding, which finds it.
 *
 * As in section 2.2.1: hop limit 1 or 0 is dropped without ICMPv6, and the hop limit falls by one
 * however many branches there are. The inner IPv4 header is checked where it is used (root and
 * leaves), not where it is carried. The inner TTL falls by one at the root and by one at a leaf.
 *
 * Not done: ping to a Replication-SID, TLVs in an SRH.
 */
#include "common.h"

#include <linux/in.h>
#include <linux/ipv6.h>

#define MAX_BRANCHES 128
#define MAX_PORTS 256
#define HOP_LIMIT 64 /* of a new outer header, RFC 2473 section 6.3 */
#define SRH_BYTES 24
#define SRH_TYPE 4
#define INET6 10 /* AF_INET6 */
/* linux/bpf.h since 6.3; Debian 12 has an older one. */
#define DECAP_TO_IPV4 (1ULL << 7)

#define IPV6_BYTES 40

/* PASSED and DROPPED of schemes/sr_segments.py name them in this order. */
enum counter {
	IMPOSED,     /* native packets that the policy took */
	REPLICATED,  /* packets for a segment of this node */
	COPIES,      /* sent on a branch */
	RESOLVED,    /* of these, through the kernel, for want of a MAC address */
	DELIVERED,   /* sent to a site */
	UNSTEERED,   /* multicast from an origin that no policy takes: left to the kernel */
	VLAN,        /* a VLAN tag in front */
	OTHER_HOST,  /* framed for another router */
	TRUNCATED,   /* shorter than its headers */
	LENGTH,      /* a length field that is not the packet's length */
	OUTER,       /* not IP version 6 */
	UNKNOWN_SID, /* in this node's locator, but no segment */
	HOPS,        /* hop limit 0 or 1 */
	NEXT_HEADER, /* neither IPv4 nor an SRH */
	SRH,         /* an SRH with segments left, or none of ours */
	INNER,       /* IPv4 header malformed */
	INNER_TTL,   /* IPv4 TTL 0 or 1 */
	STREAM,      /* IPv4 source and group that are not the segment's */
	NO_BRANCH,   /* a segment that neither replicates nor delivers */
	NO_ROUTE,    /* a branch without a route */
	TOO_BIG,     /* a branch over the MTU on its way */
	FAILED,      /* the kernel refused: memory, or a port that is down */
	COUNTERS,
};

struct node {
	__u8 locator[6];
	__u16 pad;
	__u8 source[16]; /* outer source address */
};

struct stream {
	__be32 source;
	__be32 group;
};

struct branch {
	__u8 sid[16];
	__u32 via; /* ifindex of a pinned adjacency, 0: by the FIB */
	__u8 to[ETH_ALEN];
	__u8 from[ETH_ALEN];
};

struct port {
	__u32 ifindex;
	__u8 mac[ETH_ALEN];
	__u16 pad;
};

struct segment {
	__u32 branches; /* pinned ones last */
	__u32 ports;
	__be32 source;
	__be32 group[2];
	struct branch branch[MAX_BRANCHES];
	struct port port[MAX_PORTS];
};

/* Function and instance, as they stand in the address. */
typedef __u32 sid_t;

struct policy {
	sid_t sid;
	__u8 mac[ETH_ALEN]; /* of the origin port */
	__u16 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct node);
} node SEC(".maps");

/* Without preallocation: an element that is replaced stays whole for those who still read it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct stream);
	__type(value, struct policy);
} policies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, sid_t);
	__type(value, struct segment);
} segments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 what)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &what);

	if (value)
		*value += 1;
}

static __always_inline int drop(__u32 why)
{
	count(why);
	return TC_ACT_SHOT;
}

static __always_inline struct node *this_node(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&node, &zero);
}

/* What is wrong with the IPv4 packet that begins at that offset and fills the rest; 0: nothing. */
static __always_inline __u32 wrong(struct __sk_buff *skb, __u32 at, const struct iphdr *ip)
{
	if (!ipv4_holds(skb, at, ip))
		return INNER;
	if (bpf_ntohs(ip->tot_len) != skb->len - at)
		return LENGTH;
	if (ip->ttl <= 1)
		return INNER_TTL;
	return 0;
}

/* RFC 6438: addresses, protocol and ports of the inner packet in 20 bits. */
static __always_inline __u32 flow_label(const struct iphdr *ip, __u32 ports)
{
	__u32 hash = ip->saddr;

	hash = (hash ^ ip->daddr) * 0x9e3779b1;
	hash = (hash ^ hash >> 15 ^ ports) * 0x85ebca6b;
	hash = (hash ^ hash >> 13 ^ ip->protocol) * 0xc2b2ae35;
	return (hash ^ hash >> 16) & 0xfffff;
}

/* One pass over a segment: what its steps share. */
struct pass {
	struct __sk_buff *skb;
	struct segment *segment;
	__u8 own[ETH_ALEN]; /* MAC address of the port the packet came in by */
	__u8 consume;	    /* the last copy takes the packet itself, without a clone */
	__u8 bare;	    /* no SRH yet */
	int verdict;
};

/* A native frame to one site. */
static long to_site(__u32 i, void *context)
{
	struct pass *pass = context;
	struct __sk_buff *skb = pass->skb;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);

	if (i >= MAX_PORTS || (void *)(ip + 1) > (void *)(long)skb->data_end)
		return 1;
	struct port *port = &pass->segment->port[i];

	group_mac(eth->h_dest, ip->daddr);
	__builtin_memcpy(eth->h_source, port->mac, ETH_ALEN);
	if (pass->consume && i + 1 == pass->segment->ports) {
		count(DELIVERED);
		pass->verdict = bpf_redirect(port->ifindex, 0);
		return 1;
	}
	count(bpf_clone_redirect(skb, port->ifindex, 0) < 0 ? FAILED : DELIVERED);
	return 0;
}

/* An SRH between the IPv6 header and what follows: the SID, nothing left (RFC 8754 section 2). */
static __always_inline int add_srh(struct __sk_buff *skb)
{
	if (bpf_skb_adjust_room(skb, SRH_BYTES, BPF_ADJ_ROOM_NET, 0))
		return -1;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	__u8 *srh = (void *)(ip6 + 1);

	if ((void *)(srh + SRH_BYTES) > (void *)(long)skb->data_end)
		return -1;
	__builtin_memset(srh, 0, 8);
	srh[0] = IPPROTO_IPIP;
	srh[1] = SRH_BYTES / 8 - 1;
	srh[2] = SRH_TYPE;
	ip6->nexthdr = IPPROTO_ROUTING;
	ip6->payload_len = bpf_htons(skb->len - ETH_BYTES - IPV6_BYTES);
	return 0;
}

/* A copy by the kernel's own forwarding, for want of a MAC address. */
static __always_inline long through_kernel(struct pass *pass, struct ethhdr *eth,
					   struct ipv6hdr *ip6)
{
	struct __sk_buff *skb = pass->skb;

	__builtin_memcpy(eth->h_dest, pass->own, ETH_ALEN);
	ip6->hop_limit++; /* the kernel takes it off */
	count(RESOLVED);
	count(bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS) < 0 ? FAILED : COPIES);
	ip6 = (void *)(long)skb->data + ETH_BYTES;
	if ((void *)(ip6 + 1) > (void *)(long)skb->data_end)
		return 1;
	ip6->hop_limit--;
	return 0;
}

/* A copy on one branch. The packet stands with its outer header as it is to be sent, but for
 * addresses. */
static long to_branch(__u32 i, void *context)
{
	struct pass *pass = context;
	struct __sk_buff *skb = pass->skb;

	if (i >= MAX_BRANCHES)
		return 1;
	struct branch *branch = &pass->segment->branch[i];
	int last = pass->consume && i + 1 == pass->segment->branches;
	__u32 out = branch->via;

	if (out && pass->bare) {
		if (add_srh(skb)) {
			count(FAILED);
			return 1;
		}
		pass->bare = 0;
	}
	struct ethhdr *eth = (void *)(long)skb->data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);

	if ((void *)(ip6 + 1) > (void *)(long)skb->data_end) {
		count(TRUNCATED);
		return 1;
	}
	if (out) {
		if ((void *)(ip6 + 1) + SRH_BYTES > (void *)(long)skb->data_end) {
			count(TRUNCATED);
			return 1;
		}
		__builtin_memcpy((__u8 *)(ip6 + 1) + 8, branch->sid, 16);
		__builtin_memcpy(eth->h_dest, branch->to, ETH_ALEN);
		__builtin_memcpy(eth->h_source, branch->from, ETH_ALEN);
	} else {
		struct bpf_fib_lookup fib = {
			.family = INET6,
			.tot_len = skb->len - ETH_BYTES,
			.ifindex = skb->ifindex,
		};

		__builtin_memcpy(fib.ipv6_src, &ip6->saddr, 16);
		__builtin_memcpy(fib.ipv6_dst, branch->sid, 16);
		long found = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);

		if (found == BPF_FIB_LKUP_RET_NO_NEIGH) {
			__builtin_memcpy(&ip6->daddr, branch->sid, 16);
			return through_kernel(pass, eth, ip6);
		}
		if (found != BPF_FIB_LKUP_RET_SUCCESS) {
			count(found == BPF_FIB_LKUP_RET_FRAG_NEEDED ? TOO_BIG : NO_ROUTE);
			return 0;
		}
		out = fib.ifindex;
		__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
		__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
	}
	__builtin_memcpy(&ip6->daddr, branch->sid, 16);
	if (last) {
		count(COPIES);
		pass->verdict = bpf_redirect(out, 0);
		return 1;
	}
	count(bpf_clone_redirect(skb, out, 0) < 0 ? FAILED : COPIES);
	return 0;
}

/* What a leaf or bud does with the packet inside: check it, uncover it, send it to the sites. */
static __always_inline int dispose(struct pass *pass)
{
	struct __sk_buff *skb = pass->skb;
	struct segment *segment = pass->segment;

	/* The last branches were pinned ones. */
	if (!pass->bare && bpf_skb_adjust_room(skb, -SRH_BYTES, BPF_ADJ_ROOM_NET, 0))
		return drop(FAILED);
	if (!pulled(skb, ETH_BYTES + IPV6_BYTES + IP_BYTES))
		return drop(TRUNCATED);
	struct iphdr *ip = (void *)(long)skb->data + ETH_BYTES + IPV6_BYTES;

	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return drop(TRUNCATED);
	__u32 why = wrong(skb, ETH_BYTES + IPV6_BYTES, ip);

	if (why)
		return drop(why);
	if (ip->saddr != segment->source ||
	    (ip->daddr != segment->group[0] && ip->daddr != segment->group[1]))
		return drop(STREAM);
	decrease_ttl(ip);
	if (bpf_skb_adjust_room(skb, -IPV6_BYTES, BPF_ADJ_ROOM_MAC, DECAP_TO_IPV4))
		return drop(FAILED);
	struct ethhdr *eth = (void *)(long)skb->data;

	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return drop(TRUNCATED);
	eth->h_proto = bpf_htons(ETH_P_IP);
	pass->consume = 1;
	bpf_loop(segment->ports, to_site, pass, 0);
	return pass->verdict;
}

/* End.Replicate with an SRH in front: nothing left in it, so it goes. 0, or what is wrong. */
static __always_inline __u32 take_srh(struct __sk_buff *skb)
{
	if (skb->len < ETH_BYTES + IPV6_BYTES + SRH_BYTES + IP_BYTES)
		return TRUNCATED;
	if (!pulled(skb, ETH_BYTES + IPV6_BYTES + SRH_BYTES))
		return TRUNCATED;
	__u8 *srh = (void *)(long)skb->data + ETH_BYTES + IPV6_BYTES;

	if ((void *)(srh + SRH_BYTES) > (void *)(long)skb->data_end)
		return TRUNCATED;
	if (srh[0] != IPPROTO_IPIP || srh[1] != SRH_BYTES / 8 - 1 || srh[2] != SRH_TYPE || srh[3] ||
	    srh[4])
		return SRH;
	if (bpf_skb_adjust_room(skb, -SRH_BYTES, BPF_ADJ_ROOM_NET, 0))
		return FAILED;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);

	if ((void *)(ip6 + 1) > (void *)(long)skb->data_end)
		return TRUNCATED;
	ip6->nexthdr = IPPROTO_IPIP;
	ip6->payload_len = bpf_htons(skb->len - ETH_BYTES - IPV6_BYTES);
	return 0;
}

SEC("tc")
int replicate(struct __sk_buff *skb)
{
	struct node *me = this_node();
	struct pass pass = {.skb = skb, .bare = 1, .verdict = TC_ACT_SHOT};

	if (skb->protocol != bpf_htons(ETH_P_IPV6) || !me)
		return NEXT_PROGRAM;
	if (skb->len < ETH_BYTES + IPV6_BYTES)
		return drop(TRUNCATED);
	if (!pulled(skb, ETH_BYTES + IPV6_BYTES))
		return drop(TRUNCATED);
	struct ethhdr *eth = (void *)(long)skb->data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);

	if ((void *)(ip6 + 1) > (void *)(long)skb->data_end)
		return drop(TRUNCATED);
	const __u16 *to = ip6->daddr.in6_u.u6_addr16;
	const __u16 *mine = (const __u16 *)me->locator;

	if (to[0] != mine[0] || to[1] != mine[1] || to[2] != mine[2] || to[3] == 0)
		return NEXT_PROGRAM;

	if (skb->vlan_present)
		return drop(VLAN);
	if (skb->pkt_type != PACKET_HOST)
		return drop(OTHER_HOST);
	if (*(__u8 *)ip6 >> 4 != 6)
		return drop(OUTER);
	if (bpf_ntohs(ip6->payload_len) != skb->len - ETH_BYTES - IPV6_BYTES)
		return drop(LENGTH);
	sid_t sid = (__u32)to[4] << 16 | to[3];
	struct segment *segment = bpf_map_lookup_elem(&segments, &sid);

	if (!segment || to[5] || to[6] || to[7])
		return drop(UNKNOWN_SID);
	if (ip6->hop_limit <= 1)
		return drop(HOPS);
	ip6->hop_limit--;
	__builtin_memcpy(pass.own, eth->h_dest, ETH_ALEN);
	if (ip6->nexthdr == IPPROTO_ROUTING) {
		__u32 why = take_srh(skb);

		if (why)
			return drop(why);
	} else if (ip6->nexthdr != IPPROTO_IPIP) {
		return drop(NEXT_HEADER);
	}
	if (skb->len < ETH_BYTES + IPV6_BYTES + IP_BYTES)
		return drop(TRUNCATED);
	if (!segment->branches && !segment->ports)
		return drop(NO_BRANCH);
	count(REPLICATED);
	pass.segment = segment;
	if (segment->branches) {
		pass.consume = !segment->ports;
		bpf_loop(segment->branches, to_branch, &pass, 0);
	}
	return segment->ports ? dispose(&pass) : pass.verdict;
}

SEC("tc")
int impose(struct __sk_buff *skb)
{
	struct node *me = this_node();
	struct pass pass = {.skb = skb, .bare = 1, .verdict = TC_ACT_SHOT};
	struct stream stream;
	__u32 ports = 0;

	if (skb->protocol != bpf_htons(ETH_P_IP) || !me)
		return NEXT_PROGRAM;
	if (!pulled(skb, ETH_BYTES + IP_BYTES))
		return NEXT_PROGRAM;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return NEXT_PROGRAM;
	stream.source = ip->saddr;
	stream.group = ip->daddr;
	struct policy *policy = bpf_map_lookup_elem(&policies, &stream);

	if (!policy) {
		/* 224/4 but 224.0.0/24, which never leaves a link. */
		if ((ip->daddr & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) &&
		    (ip->daddr & bpf_htonl(0xffffff00)) != bpf_htonl(0xe0000000))
			count(UNSTEERED);
		return NEXT_PROGRAM;
	}
	if (skb->vlan_present)
		return drop(VLAN);
	if (skb->pkt_type != PACKET_MULTICAST)
		return drop(OTHER_HOST);
	__u32 why = wrong(skb, ETH_BYTES, ip);

	if (why)
		return drop(why);
	struct segment *segment = bpf_map_lookup_elem(&segments, &policy->sid);

	if (!segment)
		return drop(UNKNOWN_SID);
	if (!segment->branches && !segment->ports)
		return drop(NO_BRANCH);
	count(IMPOSED);
	decrease_ttl(ip);
	if (!(ip->frag_off & bpf_htons(0x3fff)) && ip->ihl == 5 &&
	    (void *)(ip + 1) + 4 <= (void *)(long)skb->data_end)
		ports = *(__u32 *)(ip + 1);
	__u32 label = flow_label(ip, ports);

	pass.segment = segment;
	pass.consume = !segment->branches;
	bpf_loop(segment->ports, to_site, &pass, 0);
	if (!segment->branches)
		return pass.verdict;
	if (bpf_skb_adjust_room(skb, IPV6_BYTES, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6))
		return drop(FAILED);
	eth = (void *)(long)skb->data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);

	if ((void *)(ip6 + 1) > (void *)(long)skb->data_end)
		return drop(TRUNCATED);
	eth->h_proto = bpf_htons(ETH_P_IPV6);
	*(__be32 *)ip6 = bpf_htonl(6 << 28 | label);
	ip6->payload_len = bpf_htons(skb->len - ETH_BYTES - IPV6_BYTES);
	ip6->nexthdr = IPPROTO_IPIP;
	ip6->hop_limit = HOP_LIMIT;
	__builtin_memcpy(&ip6->saddr, me->source, 16);
	__builtin_memcpy(pass.own, policy->mac, ETH_ALEN);
	pass.consume = 1;
	bpf_loop(segment->branches, to_branch, &pass, 0);
	return pass.verdict;
}

/* bpf_fib_lookup is for programs under the GPL; this file may be used under it. */
char LICENSE[] SEC("license") = "GPL";
