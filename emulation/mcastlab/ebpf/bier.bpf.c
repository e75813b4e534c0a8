/* BIER without MPLS on tc ingress: RFC 8279 (forwarding: section 6.5), RFC 8296 (header).
 *
 *   bier_impose    on the port of an origin: (S,G) -> BitStrings, one packet for each SI
 *   bier_forward   on core ports: one copy for each neighbour that has bits, then disposition
 *
 * Copies are made with as little work as the helpers allow. The packet holds one copy at a time;
 * that copy is `pending` until the next one is needed, so that the last leaves by bpf_redirect,
 * without a clone. Whatever the fan-out, the next row is found by the lowest bit that is left.
 *
 * F-BMs and BitStrings are kept as on the wire and read as 64-bit words: no byte is ever swapped.
 * "Bit" below is a position in these words (`8 * octet + significance` in an octet), which the
 * writer of the maps computes. Little-endian machines only.
 *
 * Tables are hash elements without preallocation: the kernel replaces an element as a whole, under
 * RCU, so no packet sees half a BIFT.
 *
 * Not here: MPLS encapsulation, BIER-TE, OAM, ECMP in a BIFT (the lab has no equal-cost paths),
 * fragmentation. TC, S, Nibble, OAM, Rsv, DSCP and BFIR-id are carried and otherwise ignored.
 */
#include "common.h"

#define ETH_P_BIER 0xAB37
#define FIXED_BYTES 12
#define MAX_WORDS 16 /* 1024 bits */
#define MAX_ROWS 128
#define MAX_SETS 16
#define MAX_PORTS 256
#define FIRST_TTL 255
#define PROTO_IPV4 4

/* DROPS and ODDITIES of schemes/bier_maps.py name them in this order. */
enum counter {
	DROP_VLAN,
	DROP_OTHER_HOST,
	DROP_TRUNCATED,
	DROP_VERSION,
	DROP_RESERVED_BSL,
	DROP_UNKNOWN_BIFT,
	DROP_EXPIRED,
	DROP_EMPTY,
	DROP_NO_ROUTE,
	DROP_PROTO,
	DROP_INNER,
	DROP_INNER_TTL,
	DROP_NO_SITE,
	DROP_STORE,
	DROP_REDIRECT,
	ODD_BSL, /* no drop: the BSL field says another length than the BIFT */
	COUNTERS,
};

/* One neighbour. `ifindex` 0: row 0 is the bits that nobody owns, row 1 this BFR itself. */
struct row {
	__u64 mac_hi; /* destination, and the first two octets of the source */
	__u32 mac_lo;
	__u32 ifindex;
	__u64 f_bm[MAX_WORDS];
};

struct bift {
	__u32 bsl_code; /* 1: 64 bits ... 5: 1024 bits */
	__u32 words;
	struct row row[MAX_ROWS];
	__u8 row_of[MAX_WORDS * 64]; /* by bit */
};

struct flow {
	__be32 source;
	__be32 group;
};

struct set {
	__u32 bift_id;
	__u32 reserved;
	__u64 bits[MAX_WORDS];
};

struct imposition {
	__u32 sets;
	__u32 bsl_code;
	__u32 words;
	__be16 bfir_id;
	__u16 reserved;
	struct set set[MAX_SETS];
};

struct site_port {
	__u32 ifindex;
	__u8 mac[ETH_ALEN];
	__u8 reserved[2];
};

struct sites {
	__u32 ports;
	struct site_port port[MAX_PORTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256);
	__type(key, __u32); /* BIFT-id */
	__type(value, struct bift);
} bifts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, struct imposition);
} impositions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, struct sites);
} receivers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* One packet on its way through the rows of one BIFT after another. Programs on tc ingress do not
 * nest on a CPU, and what a map holds the verifier takes as unknown: on the stack, it would follow
 * every combination of empty and other words.
 */
struct walk {
	__u64 bits[MAX_WORDS]; /* not handled yet */
	__u32 set;             /* of the imposition, next */
	__u32 pending;         /* where the copy that the packet now holds belongs; 0: it holds none */
	__be32 first;          /* BIFT-id, TC, S, TTL of what is sent */
	__u32 last_hop;        /* the TTL does not reach a neighbour */
	__u32 expired;
	__u32 local; /* this BFR's own bit was set */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

/* What a loop is given: pointers stay on the stack. */
struct turn {
	struct __sk_buff *skb;
	struct bift *bift;
	struct imposition *imposition;
	struct walk *walk;
};

static __always_inline void count(__u32 what) {
	__u64 *value = bpf_map_lookup_elem(&counters, &what);
	if (value)
		(*value)++;
}

static __always_inline int drop(__u32 reason) {
	count(reason);
	return TC_ACT_SHOT;
}

static __always_inline struct walk *fresh_walk(void) {
	__u32 only = 0;
	struct walk *w = bpf_map_lookup_elem(&walks, &only);
	if (w)
		w->set = w->pending = w->expired = w->local = 0;
	return w;
}

static __always_inline void send_copy(struct __sk_buff *skb, __u32 ifindex) {
	/* Positive: a queue was full, and counts that itself. */
	if (bpf_clone_redirect(skb, ifindex, 0) < 0)
		drop(DROP_REDIRECT);
}

/* Number `i` of the BitStrings that the BFIR imposes. NULL: there is no such BIFT. */
static __always_inline struct bift *take_set(struct walk *w, struct imposition *imposition,
					     __u32 i, const __u32 words) {
	struct set *set = &imposition->set[i & (MAX_SETS - 1)];
	__u32 id = set->bift_id;
	struct bift *bift = bpf_map_lookup_elem(&bifts, &id);
	if (!bift || bift->words != words) {
		drop(DROP_UNKNOWN_BIFT);
		return NULL;
	}
	w->first = bpf_htonl(id << 12 | 1 << 8 | FIRST_TTL); /* TC 0, S 1 */
#pragma unroll
	for (__u32 j = 0; j < words; j++)
		w->bits[j] = set->bits[j];
	return bift;
}

/* The next SI that the BFIR imposes. False: that was all. */
static __always_inline bool next_set(struct turn *t, struct walk *w, const __u32 words) {
	__u32 i = w->set++;
	if (i >= t->imposition->sets)
		return false;
	struct bift *bift = take_set(w, t->imposition, i, words);
	if (bift)
		t->bift = bift;
	return true;
}

/* RFC 8279 section 6.5, one turn: the lowest bit names the row, its F-BM the bits that go along. */
static __always_inline long step(struct turn *t, const __u32 words, const bool imposing) {
	struct walk *w = t->walk;
	__u64 lowest = 0;
	__u32 at = 0, j;
#pragma unroll
	for (j = 0; j < words; j++) {
		if (w->bits[j]) {
			lowest = w->bits[j];
			at = j;
			break;
		}
	}
	if (!lowest)
		return !(imposing && next_set(t, w, words));
	struct bift *bift = t->bift;
	__u32 bit = at * 64 + lowest_bit(lowest);
	__u32 number = bift->row_of[bit & (MAX_WORDS * 64 - 1)];
	struct row *row = &bift->row[number & (MAX_ROWS - 1)];
	if (!row->ifindex || w->last_hop) {
		if (row->ifindex)
			w->expired = 1;
		else if (number)
			w->local = 1;
		else
			drop(DROP_NO_ROUTE);
#pragma unroll
		for (j = 0; j < words; j++)
			w->bits[j] &= ~row->f_bm[j];
		return 0;
	}
	if (w->pending)
		send_copy(t->skb, w->pending);
	__u8 *p = linear(t->skb, ETH_BYTES + FIXED_BYTES + 8 * words);
	if (!p) {
		w->pending = 0;
		drop(DROP_STORE);
		return 1;
	}
	*(__u64 *)p = row->mac_hi;
	*(__u32 *)(p + 8) = row->mac_lo;
	*(__be32 *)(p + ETH_BYTES) = w->first;
	__u64 *onward = (__u64 *)(p + ETH_BYTES + FIXED_BYTES);
#pragma unroll
	for (j = 0; j < words; j++) {
		__u64 mine = w->bits[j] & row->f_bm[j];
		onward[j] = mine;
		w->bits[j] ^= mine;
	}
	w->pending = row->ifindex;
	return 0;
}

/* One loop body for each length, so that its loops over words unroll. A row clears its bits: at
 * most MAX_ROWS turns for a BitString, and one to fetch the next.
 */
#define FOR_EACH_LENGTH(DO) DO(1) DO(2) DO(4) DO(8) DO(16)
#define BODIES(n)                                                                                  \
	static long transit_##n(__u32 i, struct turn *t) { return step(t, n, false); }             \
	static long impose_##n(__u32 i, struct turn *t) { return step(t, n, true); }
FOR_EACH_LENGTH(BODIES)

struct delivery {
	struct __sk_buff *skb;
	struct sites *sites;
	__u32 pending;
	__u32 reserved;
};

static long deliver(__u32 i, struct delivery *d) {
	if (i >= d->sites->ports || i >= MAX_PORTS)
		return 1;
	if (d->pending)
		send_copy(d->skb, d->pending);
	struct ethhdr *eth = linear(d->skb, ETH_BYTES);
	if (!eth) {
		d->pending = 0;
		drop(DROP_STORE);
		return 1;
	}
	struct site_port *port = &d->sites->port[i];
	__builtin_memcpy(eth->h_source, port->mac, ETH_ALEN);
	d->pending = port->ifindex;
	return 0;
}

/* adjust_room shrinks nothing but IP, and a packet is IP once the kernel has popped a VLAN tag in
 * front of that ethertype. A first push leaves its tag outside the data, hence two.
 */
static __always_inline bool become_ipv4(struct __sk_buff *skb) {
	__be16 type = bpf_htons(ETH_P_IP);
	return !bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 1) &&
	       !bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 1) &&
	       !bpf_skb_store_bytes(skb, ETH_BYTES + 2, &type, sizeof(type), 0) &&
	       !bpf_skb_vlan_pop(skb) && !bpf_skb_vlan_pop(skb);
}

/* This BFR is a BFER of the packet: the inner packet to every site here that receives it.
 * `hop`: passing on to the sites is an IP hop of its own, as the BFIR's was.
 */
static __always_inline int dispose(struct __sk_buff *skb, __u32 header, bool hop) {
	__u32 inner = ETH_BYTES + header;
	__u8 *p = pulled(skb, inner + IP_BYTES);
	/* The verifier wants a constant bound for a field before the BitString. */
	if (!p || !(p = linear(skb, ETH_BYTES + FIXED_BYTES)))
		return drop(DROP_INNER);
	if ((p[ETH_BYTES + 9] & 0x3f) != PROTO_IPV4)
		return drop(DROP_PROTO);
	struct iphdr *ip = (void *)(p + inner);
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return drop(DROP_INNER);
	if (!ipv4_holds(skb, inner, ip) ||
	    inner + bpf_ntohs(ip->tot_len) > skb->len ||
	    (ip->daddr & bpf_htonl(0xf0000000)) != bpf_htonl(0xe0000000))
		return drop(DROP_INNER);
	if (ip->ttl <= hop)
		return drop(DROP_INNER_TTL);
	struct flow flow = {ip->saddr, ip->daddr};
	struct sites *sites = bpf_map_lookup_elem(&receivers, &flow);
	if (!sites)
		return drop(DROP_NO_SITE);
	if (!become_ipv4(skb) || bpf_skb_adjust_room(skb, -(__s32)header, BPF_ADJ_ROOM_MAC, 0))
		return drop(DROP_STORE);
	p = linear(skb, ETH_BYTES + IP_BYTES);
	if (!p)
		return drop(DROP_STORE);
	group_mac(p, flow.group);
	if (hop)
		decrease_ttl((void *)(p + ETH_BYTES));
	struct delivery d = {.skb = skb, .sites = sites};
	bpf_loop(MAX_PORTS, deliver, &d, 0);
	return d.pending ? bpf_redirect(d.pending, 0) : drop(DROP_NO_SITE);
}

/* After the last row: what is pending leaves, and the own copy is unwrapped. */
static __always_inline int finish(struct turn *t, const __u32 words, bool hop) {
	struct walk *w = t->walk;
	if (w->expired)
		drop(DROP_EXPIRED);
	if (!w->local)
		return w->pending ? bpf_redirect(w->pending, 0) : TC_ACT_SHOT;
	if (w->pending)
		send_copy(t->skb, w->pending);
	return dispose(t->skb, FIXED_BYTES + 8 * words, hop);
}

SEC("tc")
int bier_forward(struct __sk_buff *skb) {
	if (skb->protocol != bpf_htons(ETH_P_BIER))
		return NEXT_PROGRAM;
	if (skb->vlan_present)
		return drop(DROP_VLAN);
	if (skb->pkt_type != PACKET_HOST)
		return drop(DROP_OTHER_HOST);
	__u8 *p = pulled(skb, ETH_BYTES + FIXED_BYTES);
	if (!p)
		return drop(DROP_TRUNCATED);
	__u32 first = bpf_ntohl(*(__be32 *)(p + ETH_BYTES));
	__u32 second = bpf_ntohl(*(__be32 *)(p + ETH_BYTES + 4));
	__u32 code = second >> 20 & 0xf, ttl = first & 0xff, id = first >> 12;
	if (second >> 24 & 0xf)
		return drop(DROP_VERSION);
	if (!code || code > 7)
		return drop(DROP_RESERVED_BSL);
	/* RFC 8296 section 2.1.2: the length is the BIFT's, whatever the BSL field says. */
	struct bift *bift = bpf_map_lookup_elem(&bifts, &id);
	if (!bift)
		return drop(DROP_UNKNOWN_BIFT);
	if (code != bift->bsl_code)
		count(ODD_BSL);
	if (!ttl)
		return drop(DROP_EXPIRED);

	struct walk *w = fresh_walk();
	if (!w)
		return drop(DROP_STORE);
	w->first = bpf_htonl(first - 1);
	w->last_hop = ttl == 1;
	struct turn t = {.skb = skb, .bift = bift, .walk = w};
#define READ(n)                                                                                    \
	case n: {                                                                                  \
		p = pulled(skb, ETH_BYTES + FIXED_BYTES + 8 * n);                                  \
		if (!p)                                                                            \
			return drop(DROP_TRUNCATED);                                               \
		__u64 *bits = (__u64 *)(p + ETH_BYTES + FIXED_BYTES), any = 0;                     \
		_Pragma("unroll") for (__u32 j = 0; j < n; j++) any |= w->bits[j] = bits[j];        \
		if (!any)                                                                          \
			return drop(DROP_EMPTY);                                                   \
		bpf_loop(MAX_ROWS, transit_##n, &t, 0);                                            \
		return finish(&t, n, true);                                                        \
	}
	switch (bift->words) { FOR_EACH_LENGTH(READ) }
	return drop(DROP_UNKNOWN_BIFT);
}

/* 20 bits that are the same for every packet of a flow (RFC 8296 section 2.1.2). */
static __always_inline __u32 entropy(struct iphdr *ip, __u32 ports) {
	__u64 hash = ((__u64)ip->saddr << 32 | ip->daddr) * 0x9e3779b97f4a7c15ULL;
	hash = (hash ^ ports ^ (__u64)ip->protocol << 32) * 0x9e3779b97f4a7c15ULL;
	return hash >> 44;
}

/* Room for the header, and the fields that all copies share. */
static __always_inline bool encapsulate(struct __sk_buff *skb, __u32 header, __u32 second,
					__u16 third, __be16 bfir_id) {
	if (bpf_skb_adjust_room(skb, header, BPF_ADJ_ROOM_MAC, 0))
		return false;
	__u8 *p = linear(skb, ETH_BYTES + FIXED_BYTES);
	if (!p)
		return false;
	*(__be16 *)(p + 12) = bpf_htons(ETH_P_BIER);
	*(__be32 *)(p + ETH_BYTES + 4) = bpf_htonl(second);
	*(__be16 *)(p + ETH_BYTES + 8) = bpf_htons(third);
	*(__be16 *)(p + ETH_BYTES + 10) = bfir_id;
	return true;
}

SEC("tc")
int bier_impose(struct __sk_buff *skb) {
	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->vlan_present)
		return NEXT_PROGRAM;
	__u8 *p = pulled(skb, ETH_BYTES + IP_BYTES);
	if (!p)
		return NEXT_PROGRAM;
	struct iphdr *ip = (void *)(p + ETH_BYTES);
	struct flow flow = {ip->saddr, ip->daddr};
	struct imposition *found = bpf_map_lookup_elem(&impositions, &flow);
	if (!found)
		return NEXT_PROGRAM;
	if (!ipv4_holds(skb, ETH_BYTES, ip) ||
	    ETH_BYTES + bpf_ntohs(ip->tot_len) > skb->len)
		return drop(DROP_INNER);
	if (ip->ttl <= 1)
		return drop(DROP_INNER_TTL);
	__u32 ports = 0;
	bool whole = !(ip->frag_off & bpf_htons(0x3fff)) && ip->ihl == 5;
	if (whole && linear(skb, ETH_BYTES + IP_BYTES + 4))
		ports = *(__u32 *)(p + ETH_BYTES + IP_BYTES);
	__u32 second = found->bsl_code << 20 | entropy(ip, ports);
	__u16 third = (ip->tos >> 2) << 6 | PROTO_IPV4;
	decrease_ttl(ip);

	struct walk *w = fresh_walk();
	if (!w)
		return drop(DROP_STORE);
	w->last_hop = 0;
	w->set = 1; /* the first is taken before the loop, whose turns must never see a NULL */
	struct turn t = {.skb = skb, .imposition = found, .walk = w};
#define IMPOSE(n)                                                                                  \
	case n:                                                                                    \
		if (!encapsulate(skb, FIXED_BYTES + 8 * n, second, third, found->bfir_id))         \
			return drop(DROP_STORE);                                                   \
		t.bift = take_set(w, found, 0, n);                                                 \
		if (!t.bift)                                                                       \
			return TC_ACT_SHOT;                                                        \
		bpf_loop(MAX_SETS * (MAX_ROWS + 1), impose_##n, &t, 0);                            \
		return finish(&t, n, false);
	switch (found->words) { FOR_EACH_LENGTH(IMPOSE) }
	return drop(DROP_UNKNOWN_BIFT);
}

char _license[] SEC("license") = "GPL";
