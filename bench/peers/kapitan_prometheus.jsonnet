local inventory = std.native('inventory')(std.extVar('target'), null);
local shard = import 'shard.libsonnet';

{ prometheus: shard.prometheus(inventory.parameters.shard) }
