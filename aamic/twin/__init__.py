"""The twin: a site as it was rendered, running on this machine's loopback addresses and nowhere else.

It compiles the same site with other addresses, ports and intervals (`sample`, `loopback`), gives each host a root
folder (`folders`), runs the commands of the rendered units (`units`), answers for the synthetic exporters
(`exporters`, `faults`), and watches what the servers see (`run`, `checks`, `report`).
"""
