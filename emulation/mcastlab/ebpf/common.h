/* What the lab's programs share: header offsets, counters, bit and checksum arithmetic. */
#ifndef MCASTLAB_COMMON_H
#define MCASTLAB_COMMON_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_BYTES 14
#define IP_BYTES 20
#define OPTION_BYTES 40 /* at most */
#define NEXT_PROGRAM TC_ACT_UNSPEC /* this packet is none of ours: whoever is attached next */

static __always_inline void *start_of(struct __sk_buff *skb) { return (void *)(long)skb->data; }

/* The packet's first byte if at least `need` bytes lie in the linear part, else NULL. */
static __always_inline void *linear(struct __sk_buff *skb, __u32 need) {
	void *data = start_of(skb);
	return data + need <= (void *)(long)skb->data_end ? data : NULL;
}

/* As `linear`, after pulling what still lies in fragments, and IPv4 options behind it too. */
static __always_inline void *pulled(struct __sk_buff *skb, __u32 need) {
	void *data = linear(skb, need);
	__u32 most = need + OPTION_BYTES;
	if (data || skb->len < need || bpf_skb_pull_data(skb, skb->len < most ? skb->len : most))
		return data;
	return linear(skb, need);
}

/* clang 14 cannot select ctz for BPF: the position of the lowest bit by a de Bruijn sequence. */
static const __u8 de_bruijn[64] = {
	0,  1,  2,  53, 3,  7,  54, 27, 4,  38, 41, 8,  34, 55, 48, 28, 62, 5,  39, 46, 44, 42,
	22, 9,  24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21,
	23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
};

static __always_inline __u32 lowest_bit(__u64 word) {
	return de_bruijn[((word & -word) * 0x022fdd63cc95386dULL) >> 58];
}

/* RFC 1141: one less in the TTL is one more in the checksum's upper octet. */
static __always_inline void decrease_ttl(struct iphdr *ip) {
	__u32 sum = ip->check;
	sum += bpf_htons(0x0100);
	ip->check = sum + (sum >= 0xffff);
	ip->ttl--;
}

/* Whether an IPv4 header is one: version, lengths, checksum (RFC 1812 section 5.2.2). Its first 20
 * octets are there; `end` is where what can be read ends.
 */
static __always_inline bool ipv4_holds(struct iphdr *ip, void *end) {
	const __u16 *word = (void *)ip;
	__u32 sum = 0, words = ip->ihl * 2;
	if (ip->version != 4 || ip->ihl < 5 || bpf_ntohs(ip->tot_len) < ip->ihl * 4)
		return false;
#pragma unroll
	for (__u32 i = 0; i < IP_BYTES / 2; i++)
		sum += word[i];
	if (words > IP_BYTES / 2) {
#pragma unroll
		for (__u32 i = IP_BYTES / 2; i < (IP_BYTES + OPTION_BYTES) / 2; i++) {
			if (i >= words)
				break;
			if ((void *)(word + i + 1) > end)
				return false;
			sum += word[i];
		}
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* 01:00:5e and the group's low 23 bits (RFC 1112 section 6.4), from an address as on the wire. */
static __always_inline void group_mac(__u8 *mac, __be32 group) {
	__u32 low = bpf_ntohl(group);
	mac[0] = 0x01;
	mac[1] = 0x00;
	mac[2] = 0x5e;
	mac[3] = low >> 16 & 0x7f;
	mac[4] = low >> 8;
	mac[5] = low;
}

#endif
