"""The rest of the world for network.sh: names, and a line for whoever connects.

usage: world.py            everything that network.sh's neighbour answers, once its addresses are there
       world.py here PORT ADDRESS
                           the line alone, on all addresses; and every packet of the same port, those for the group
                           224.0.0.251 at ADDRESS as well, is a line of the output
"""
import selectors
import socket
import sys


def listen(port):
    return socket.create_server(("0.0.0.0", port), reuse_port=True)


def answer_name(s):
    """Every name has one address: ours. RFC 1035, 4.1."""
    asked, who = s.recvfrom(512)
    end = asked.index(b"\0", 12) + 5
    kind = asked[end - 4:end - 2]
    found = kind == b"\0\1"
    head = asked[:2] + b"\x81\x80\0\1" + (b"\0\1" if found else b"\0\0") + b"\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("198.51.100.2")
    s.sendto(head + asked[12:end] + (record if found else b""), who)


def main():
    watch = selectors.DefaultSelector()
    here = len(sys.argv) > 1
    web = listen(int(sys.argv[2]) if here else 80)
    watch.register(web, selectors.EVENT_READ)
    heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if here:
        heard.bind(("0.0.0.0", int(sys.argv[2])))
        heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                         socket.inet_aton("224.0.0.251") + socket.inet_aton(sys.argv[3]))
        watch.register(heard, selectors.EVENT_READ)
    else:
        names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        names.bind(("0.0.0.0", 53))
        watch.register(names, selectors.EVENT_READ)
    while True:
        for key, _ in watch.select():
            if key.fileobj is heard:
                print("packet:", heard.recv(512).decode(), flush=True)
            elif key.fileobj is web:
                with web.accept()[0] as s:
                    if here:
                        print("connection", flush=True)
                    s.sendall(f"here is {s.getsockname()[0]}\n".encode())
            else:
                answer_name(key.fileobj)


main()
