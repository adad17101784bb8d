# The processes of a cluster. Each is a script under parts/, written once, so that one that was stopped starts again with
# the very same command line.

# Writes the script of a part: part NAME [--outside] COMMAND...; --outside: in the machine's network namespace.
part() {
    local name=$1 outside=; shift
    if [ "$1" = --outside ]; then outside=yes; shift; fi
    {
        echo '#!/bin/sh'
        # Its own control group, so that whatever it becomes and starts can be found and ended.
        echo "echo \$\$ >'$(own_group)/cgroup.procs' || exit 1"
        # And an environment of its own: nothing of whoever starts it, such as a proxy.
        printf 'cd %q && exec env -i HOME=/ PATH=%q' "$WORK" "$RUNTIME:$PATH:/usr/sbin:/sbin"; printf ' \\\n    %q' "$@"; echo
    } >"$WORK/parts/$name"
    chmod +x "$WORK/parts/$name"
    [ -z "$outside" ] || touch "$WORK/parts/.$name-outside"
    start_part "$name"
}

parts() { ls "$WORK/parts" 2>/dev/null || true; }

start_part() {
    local name=$1 where=()
    [ -x "$WORK/parts/$name" ] || die "no part '$name'; there are: $(parts | tr '\n' ' ')"
    ! runs "$name" || return 0
    [ -e "$WORK/parts/.$name-outside" ] || where=(nsenter "$(mount_of_node)" --net="$NETNS_FILE" --)
    # Neither nsenter nor setsid forks here, so the process id stays the same through all of them.
    "${where[@]}" setsid "$WORK/parts/$name" >>"$WORK/log/$name" 2>&1 </dev/null &
    printf '%s %s\n' $! "$(start_time $!)" >"$WORK/pids/$name"
}

# Asks it to end, and makes it end after three seconds: an API server would wait a minute for those who watch.
stop_part() {
    local name=$1 pid
    runs "$name" || return 0
    pid=$(pid_of "$name")
    kill "$pid" 2>/dev/null || true
    await 3 "$name ends" ended "$name" 2>/dev/null || kill -9 "$pid" 2>/dev/null || true
    await 5 "$name ends" ended "$name"
}

pid_of() { cut -d ' ' -f 1 "$WORK/pids/$1" 2>/dev/null; }

# True while the process that was started lives: the same id may belong to another one later.
runs() {
    local pid began
    read -r pid began 2>/dev/null <"$WORK/pids/$1" || return 1
    [ -n "$began" ] && [ "$(start_time "$pid")" = "$began" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null
}

ended() { ! runs "$1"; }

# When a process began, in ticks since boot: the 22nd field, counted behind the name, which may hold anything.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
