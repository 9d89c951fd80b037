#!/bin/sh
# Installs Postgres's server programs for package localpg, where the machine lets it. Does nothing when they are there, or
# when OTELAUDIT_POSTGRES_URL names a server. Starts no server. Exits with 1, saying what to do, when it cannot.
set -eu

fail() {
	echo "install.sh: $1" >&2
	echo 'Install Postgres yourself (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server;' >&2
	echo 'macOS: brew install postgresql), or set OTELAUDIT_POSTGRES_URL to a server that runs.' >&2
	exit 1
}

has_server() {
	[ -f "$1/initdb" ] && [ -x "$1/initdb" ] && [ -f "$1/postgres" ] && [ -x "$1/postgres" ]
}

# Looks where machine.go and binaries.go look.
installed() {
	if initdb=$(command -v initdb) && has_server "${initdb%/*}"; then return 0; fi
	if bindir=$(pg_config --bindir 2>/dev/null) && has_server "$bindir"; then return 0; fi
	for dir in \
		/usr/lib/postgresql/*/bin \
		/usr/lib/postgresql*/bin \
		/usr/libexec/postgresql* \
		/usr/pgsql-*/bin \
		/usr/local/pgsql/bin \
		/opt/homebrew/opt/postgresql*/bin \
		/usr/local/opt/postgresql*/bin \
		/home/linuxbrew/.linuxbrew/opt/postgresql*/bin \
		/opt/local/lib/postgresql*/bin \
		/Applications/Postgres.app/Contents/Versions/*/bin; do
		if has_server "$dir"; then return 0; fi
	done
	return 1
}

# Needs a root that asks for no password: nobody may be there to type one.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

need_root() {
	[ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null || fail "to install with $1, run this as root or with a sudo that asks for no password"
}

[ -z "${OTELAUDIT_POSTGRES_URL:-}" ] || exit 0
if installed; then exit 0; fi

if command -v apt-get >/dev/null; then
	need_root apt-get
	# Keeps the package from making and starting a cluster of its own.
	own=/etc/postgresql-common/createcluster.d/otelaudit.conf
	if [ ! -e "$own" ]; then
		as_root mkdir -p "${own%/*}"
		echo 'create_main_cluster = false' | as_root tee "$own" >/dev/null
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update || fail 'apt-get update failed'
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql ||
		fail 'apt-get install failed'
elif command -v dnf >/dev/null; then
	need_root dnf
	as_root dnf install -y postgresql-server || fail 'dnf failed'
elif command -v apk >/dev/null; then
	need_root apk
	as_root apk add --no-cache postgresql || fail 'apk failed'
elif command -v brew >/dev/null; then
	brew install postgresql || fail 'brew failed'
else
	fail 'there is no apt-get, dnf, apk or brew here'
fi

if ! installed; then fail 'the package is installed, but initdb and postgres are not where localpg looks'; fi
