#!/bin/sh
# Programs that some tests run: a browser for the report, tshark for captures, and what the lab is
# made of. Only on Debian and as root; elsewhere those tests are skipped with what they lack (under
# CI=true they fail). No service is left running or enabled that was not: a machine that runs the
# tests is no router.
#
# usage: system.sh LOGFILE
set -u
log=$1
policy=/usr/sbin/policy-rc.d
mark='# of mcastplan: make system'

[ "$(id -u)" = 0 ] || exit 0
command -v apt-get >/dev/null || exit 0

lacking=
need() { # need PACKAGES COMMAND...: unless one of the commands or files is there
	packages=$1
	shift
	for name; do
		if [ -e "$name" ] || command -v "$name" >/dev/null; then return; fi
	done
	lacking="$lacking $packages"
}
need 'chromium fonts-dejavu-core' chromium chromium-browser google-chrome
need tshark tshark # and dumpcap with it
need iproute2 tc
need frr /usr/lib/frr/pimd
need mininet mnexec
need net-tools ifconfig
need uftp uftp
need clang clang
need bpftool bpftool
need libbpf-dev /usr/include/bpf/bpf_helpers.h
[ -n "$lacking" ] || exit 0
echo "installing what tests use, a few minutes:$lacking"

# dpkg asks policy-rc.d before it starts a service; 101 says no. Somebody else's answer stays: the
# file is made only if there is none, in one step. A mark tells ours, in case an earlier run was
# killed.
grep -qsF "$mark" "$policy" && rm -f "$policy"
ours=
leave() { [ -z "$ours" ] || rm -f "$policy"; }
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
if (set -C && printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy") 2>/dev/null; then
	ours=yes
	chmod 755 "$policy"
fi

apt-get update -qq >"$log" 2>&1 </dev/null
for name in $lacking; do
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 \
		--no-install-recommends "$name" >>"$log" 2>&1 </dev/null \
		|| echo "not installed: $name (see $log)" >&2
done

# These two came with this run, each with a service: nobody asked for it to run, now or at the next
# boot, whatever an answer that was here before ours allowed.
for service in frr uftp; do
	case " $lacking " in
	*" $service "*)
		{
			service $service stop
			update-rc.d $service disable
		} >>"$log" 2>&1 </dev/null
		;;
	esac
done
exit 0
