// The two files of one shard, from its nodes: what aamic's templates and serializer make of the same data.
{
  targets(shard):: [
    {
      targets: [node.address + ':' + port for port in shard.ports[std.get(node, 'vendor', 'none')]],
      labels: { cluster: shard.cluster, node: node.name }
              + (if 'rack' in node then { rack: node.rack } else {})
              + (if 'vendor' in node then {
                   gpu_vendor: node.vendor,
                   gpu_model: node.model,
                   gpu_count: std.toString(node.count),
                 } else {}),
    }
    for node in shard.nodes
  ] + [{ targets: [] }],

  prometheus(shard):: {
    global: {
      scrape_interval: shard.scrape_interval,
      scrape_timeout: shard.scrape_timeout,
      evaluation_interval: shard.evaluation_interval,
      external_labels: shard.external_labels,
    },
    alerting: { alertmanagers: [{ static_configs: [{ targets: shard.alertmanagers }] }] },
    rule_files: ['/etc/aami/rules/shard/*.yml'],
    scrape_configs: [
      {
        job_name: 'prometheus',
        static_configs: [{ targets: [shard.own.address], labels: { cluster: shard.cluster, node: shard.own.node } }],
      },
    ] + [
      {
        job_name: 'central',
        static_configs: [{ targets: [watched.address], labels: { cluster: shard.cluster, node: watched.node } }],
        metric_relabel_configs: [{ source_labels: ['__name__'], regex: '.+', action: 'drop' }],
      }
      for watched in shard.watches
    ] + [
      {
        job_name: job.name,
        sample_limit: 100000,
        body_size_limit: '64MB',
        file_sd_configs: [{ files: [shard.targets_path] }],
        relabel_configs: [{ source_labels: ['__address__'], regex: '.+:' + job.port, action: 'keep' }],
      }
      for job in shard.jobs
    ],
  },
}
