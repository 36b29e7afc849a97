"""The twin: a site as it was rendered, running on this machine's loopback addresses and nowhere else.

    sample    which nodes of a large site take part
    loopback  the same site with addresses, ports and intervals of this machine
    faults    what `--inject` asks for
    folders   one root folder for each host, with absolute paths moved below it
    units     from a rendered systemd unit to the command line that systemd would run
    exporters one server that answers for every synthetic exporter
    run       the sequence: start, see everything up, inject, see the alert, stop
    report    what was seen
"""
