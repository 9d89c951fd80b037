# Runs one private cluster for as long as standard input stays open, then removes it.
# Start runs this as: sh -c <this file> localpg <directory> <directory of programs> <end of postgresql.conf>
# The process that started it learns why it ended from standard error. Exits with 0 when it was asked to end.
dir=$1 bin=$2 conf=$3
exec 3>&2 4<&0 </dev/null

umask 077
mkdir "$dir" || {
	echo "set TMPDIR to a directory in which the user $(id -un) can make one" >&2
	exit 1
}

running=
watcher=
finish() {
	trap '' HUP INT TERM
	if [ -n "$running" ]; then
		# QUIT is an immediate shutdown: nobody will read the data again. But a child that is not postgres yet ignores it,
		# and dies of TERM. It is named $!, because a trap may come before an assignment.
		kill -TERM "$!"
		kill -QUIT "$!"
		wait "$!"
	fi
	[ -z "$watcher" ] || kill "$watcher"
	tail -n 30 "$dir/log" >&3

	# Again, because backends that outlive a killed postmaster write for a moment longer.
	tries=0
	until rm -rf "$dir" 2>&3; do
		tries=$((tries + 1))
		[ $tries -lt 10 ] || exit 1
		sleep 1
	done
} 2>/dev/null
trap finish EXIT
trap 'exit 0' HUP INT TERM
exec >"$dir/log" 2>&1

# The other end of standard input closes when Stop is called, and when the process that has it dies.
(
	read -r _ <&4
	kill -TERM $$
) 3>&- &
watcher=$!

"$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C \
	--no-sync --no-instructions 3>&- 4<&- || exit 1
printf '%s' "$conf" >>"$dir/data/postgresql.conf" || exit 1

while :; do
	running=yes
	"$bin/postgres" -D "$dir/data" -k "$dir" -p 5432 3>&- 4<&- &
	wait "$!"
	running=
	rm "$dir/restart" || exit 1 # Restart makes it; without it, postgres has failed
done
