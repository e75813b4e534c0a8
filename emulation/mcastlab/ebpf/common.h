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

/* As `linear`, after pulling what still lies in fragments. */
static __always_inline void *pulled(struct __sk_buff *skb, __u32 need) {
	void *data = linear(skb, need);
	if (data || skb->len < need || bpf_skb_pull_data(skb, need))
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

/* Whether an IPv4 header, `at` that offset, is one: version, lengths, checksum (RFC 1812 section
 * 5.2.2). Its first 20 octets can be read; options may lie elsewhere.
 */
static __always_inline bool ipv4_holds(struct __sk_buff *skb, __u32 at, const struct iphdr *ip) {
	const __u16 *word = (const void *)ip;
	__u16 option[OPTION_BYTES / 2] = {};
	__u32 sum = 0, options = ip->ihl * 4 - IP_BYTES;
	if (ip->version != 4 || ip->ihl < 5 || bpf_ntohs(ip->tot_len) < ip->ihl * 4)
		return false;
#pragma unroll
	for (__u32 i = 0; i < IP_BYTES / 2; i++)
		sum += word[i];
	asm volatile("" : "+r"(options)); /* or clang forgets the bounds that the verifier wants */
	if (options) {
		if (options > OPTION_BYTES || bpf_skb_load_bytes(skb, at + IP_BYTES, option, options))
			return false;
#pragma unroll
		for (__u32 i = 0; i < OPTION_BYTES / 2; i++)
			sum += option[i];
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
