local inventory = std.native('inventory')(std.extVar('target'), null);
local shard = import 'shard.libsonnet';

{ targets: shard.targets(inventory.parameters.shard) }
