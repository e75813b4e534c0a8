#!/bin/sh
# The README's two commands on a bare Debian: what somebody once installed by hand on this machine
# cannot hide a step that is missing.
#
#   fresh.sh [--or-here] [COMMAND...]     as root, on Debian
#
# Makes a root with nothing but BARE, once, and gives each run a copy of it; clones HEAD into the
# copy (what is not committed is not tried) and runs COMMAND there, or else make demo, make check
# and make test. --or-here: where no such root can be had, says why and runs it in the checkout.
#
# The root, its packages and pip's files are kept in MCASTPLAN_FRESH, or else in
# ${XDG_CACHE_HOME:-/var/cache}/mcastplan-fresh. FRESH=empty starts without them.
#
# From this machine come, each time: apt's sources, keys and Acquire settings, pip's settings and
# the folders that these name, certificates, name servers, proxies; and ../shared/data, read-only,
# if it lies beside the checkout. The network is the machine's own: the lab makes its own inside.
set -eu

BARE=python3,python3-venv,make,git,ca-certificates
CARRIED='PIP_|SSL_CERT_|REQUESTS_CA_BUNDLE=|CURL_CA_BUNDLE=|(https?|ftp|all|no)_proxy=|(HTTPS?|ALL|NO)_PROXY='
DATA=shared/data

main() {
	here=
	[ "${1-}" != --or-here ] || { here=yes && shift; }
	[ $# -gt 0 ] || set -- sh -c 'make demo && make check && make test'
	source=$(cd "$(dirname "$0")/.." && pwd)
	cache=${MCASTPLAN_FRESH:-${XDG_CACHE_HOME:-/var/cache}/mcastplan-fresh}
	if why=$(lacking); then without "$why" "$@"; fi
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock -n 9 || { say "another run has $cache; waiting for it" && flock 9; }
	[ "${FRESH-}" != empty ] || find "$cache" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
	base || without 'mmdebstrap cannot make one' "$@" 9>&-
	copy
	code=0
	# Its own first process, whose end is the end of all that it started and mounted; and it ends
	# with this shell, however that ends.
	setpriv --pdeathsig KILL \
		unshare --mount --pid --fork --kill-child --ipc --uts --propagation private \
		sh "$0" --enter "$cache/run" "$source" "$cache" "$@" 9>&- || code=$?
	rm -rf "$cache/run"
	exit "$code"
}

say() { echo "fresh: $*"; }

without() { # without WHY COMMAND...: there is no bare root
	[ -n "$here" ] || { echo "make fresh: $1" >&2 && exit 3; }
	echo "no bare root: $1; running in place" >&2
	shift
	cd "$source"
	exec "$@"
}

# Why there can be no bare root here; false if there can.
lacking() {
	if [ "$(id -u)" != 0 ]; then
		echo 'it takes root'
	elif ! grep -qs '^ID=debian$' /etc/os-release || ! command -v apt-get >/dev/null; then
		echo 'this is no Debian'
	elif ! unshare --mount --pid --fork --ipc --uts --propagation private true 2>/dev/null; then
		echo 'the kernel gives no new namespaces'
	elif ! command -v git >/dev/null; then
		echo 'git is not here'
	elif ! command -v mmdebstrap >/dev/null && ! {
		apt-get update -qq && apt-get install -y -qq --no-install-recommends mmdebstrap
	} </dev/null >/dev/null 2>&1; then
		echo 'mmdebstrap cannot be installed'
	else
		return 1
	fi
}

# The sources of apt that are in use, one file a line.
sources() { find /etc/apt/sources.list /etc/apt/sources.list.d \
	-type f \( -name '*.list' -o -name '*.sources' \) -size +0 2>/dev/null | LC_ALL=C sort; }

# The bare root, anew if apt's settings are no longer those that it was made with. False if it
# cannot be made.
base() {
	apt-config dump Acquire >"$cache/apt.conf"
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	made="$suite $BARE $(sources | xargs cat "$cache/apt.conf" | sha256sum)"
	[ "$made" != "$(cat "$cache/made" 2>/dev/null)" ] || return 0
	say "makes a bare $suite in $cache: about a minute"
	rm -rf "$cache/made" "$cache/root"
	sources | xargs mmdebstrap --quiet --variant=minbase --include="$BARE" \
		--aptopt="$cache/apt.conf" "$suite" "$cache/root" || return
	for each in /etc/apt/keyrings /etc/apt/trusted.gpg.d /etc/apt/preferences.d /usr/share/keyrings \
		/etc/apt/auth.conf /etc/apt/auth.conf.d; do
		carry / "$each" "$cache/root"
	done
	echo "$made" >"$cache/made"
}

# A copy of the bare root with a clone of HEAD and this machine's settings.
copy() {
	rm -rf "$cache/run" # of a run that was killed
	cp -a "$cache/root" "$cache/run"
	cp -L /etc/resolv.conf /etc/hosts "$cache/run/etc/"
	for each in /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates \
		/etc/pip.conf /etc/xdg/pip; do
		carry / "$each" "$cache/run"
	done
	for each in .pip .config/pip; do
		carry "$HOME" "$each" "$cache/run/root"
	done
	# git wants to be told that a checkout of somebody else's is meant
	home=$cache/run/tmp/home
	mkdir "$home"
	git config --file "$home/.gitconfig" safe.directory '*'
	[ -z "$(HOME=$home git -C "$source" status --porcelain)" ] \
		|| say 'what is not committed here is not in the clone'
	HOME=$home git clone -q "$source" "$cache/run/root/mcastplan"
	rm -rf "$home"
}

carry() { # carry FOLDER PATH TO: what is there at FOLDER/PATH, to TO/PATH
	[ ! -e "$1/$2" ] || tar -C "$1" -ch "./$2" | tar -C "$3" -x
}

# What pip's settings name on this machine's disks: indexes, wheels, certificates.
named() {
	{
		env | grep -E "^($CARRIED)" | cut -d= -f2-
		find /etc/pip.conf /etc/xdg/pip "$HOME/.pip" "$HOME/.config/pip" \
			-type f -exec cat {} + 2>/dev/null
	} | grep -oE "(file://)?/[^][:space:],;'\"]+" | sed 's,^file://,,; s,/simple/*$,,' | sort -u
}

# The first process of the namespaces: mounts, then the copy becomes the root.
enter() {
	run=$1 source=$2 cache=$3
	shift 3
	mount --bind "$run" "$run"
	mount -t proc proc "$run/proc"
	mount -t sysfs sysfs "$run/sys"
	mount --rbind /dev "$run/dev"
	mount -t tmpfs tmpfs "$run/dev/shm"
	mount -t tmpfs -o mode=755 tmpfs "$run/run"
	bind "$cache/archives" "$run/var/cache/apt/archives" # as packages and wheels come, they stay
	bind "$cache/pip" "$run/root/.cache/pip"
	mkdir -p "$run/var/cache/apt/archives/partial"
	for each in $(named); do
		case $each in
		/etc/*) carry / "$each" "$run" ;; # where packages write too
		*) [ ! -d "$each" ] || bind "$each" "$run$each" ro ;;
		esac
	done
	[ ! -d "$source/../$DATA" ] || bind "$source/../$DATA" "$run/root/$DATA" ro

	# An environment as bare as the root. All can be installed there, so what cannot run is a failure.
	for each in $(env | grep -E "^($CARRIED)" | cut -d= -f1) TERM; do
		eval "value=\${$each-}"
		[ -z "$value" ] || set -- "$each=$value" "$@"
	done
	set -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root LANG=C.UTF-8 CI=true "$@"

	cd "$run"
	mkdir .host
	pivot_root . .host
	# This shell stays the first process: it collects the orphans. (Without `exit`, it would not.)
	# shellcheck disable=SC2016
	exec chroot . sh -c 'umount -l /.host && rmdir /.host && cd /root/mcastplan && "$@"; exit' sh "$@"
}

bind() { # bind FROM TO [ro]
	mkdir -p "$1" "$2"
	mount --bind "$1" "$2"
	[ -z "${3-}" ] || mount -o remount,bind,ro "$2"
}

case ${1-} in
--enter) shift && enter "$@" ;;
*) main "$@" ;;
esac
