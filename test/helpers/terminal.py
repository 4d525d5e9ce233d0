# Runs a command in a pseudo-terminal: `terminal.py columns rows command…`. What it prints goes to stdout as it comes. Lines of stdin say
# what to do: `key <hex>`, `size <columns> <rows>`, `signal <number>`. Ends with the line `exit <code>` on stderr.
import fcntl, os, pty, select, struct, sys, termios

columns, rows, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]


def resize(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


pid, fd = pty.fork()
if pid == 0:
    resize(0, columns, rows)
    os.execvp(command[0], command)
pending = b""
sources = [fd, 0]
while True:
    readable, _, _ = select.select(sources, [], [])
    if 0 in readable:
        data = os.read(0, 4096)
        if not data:
            sources.remove(0)
        pending += data
        *lines, pending = pending.split(b"\n")
        for line in lines:
            what, *values = line.decode().split()
            if what == "key":
                os.write(fd, bytes.fromhex(values[0]))
            elif what == "size":
                resize(fd, int(values[0]), int(values[1]))
            else:
                os.kill(pid, int(values[0]))
    if fd in readable:
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            break
        os.write(1, data)
_, status = os.waitpid(pid, 0)
sys.stderr.write("exit %d\n" % os.waitstatus_to_exitcode(status))
