// Every file of every shard, as one evaluation.
local shard = import 'shard.libsonnet';

function(shards) {
  [each.name + '/' + file.key]: file.value
  for each in shards
  for file in [
    { key: 'targets.json', value: shard.targets(each) },
    { key: 'prometheus.yaml', value: shard.prometheus(each) },
  ]
}
