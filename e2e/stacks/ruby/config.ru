# The contract's server as a Rack application, for Puma.
require 'digest'

BASE = File.binread(ENV.fetch('STACK_BASE')).freeze

run lambda { |env|
  body =
    if env['REQUEST_METHOD'] == 'POST'
      digest = Digest::SHA256.new
      while (part = env['rack.input'].read(65_536))
        digest.update(part)
      end
      digest.hexdigest
    else
      size = env['PATH_INFO'].delete_prefix('/bytes/').to_i
      seed = env['QUERY_STRING'].delete_prefix('seed=').to_i
      BASE.byteslice(seed, size)
    end
  [200, { 'Content-Length' => body.bytesize.to_s }, [body]]
}
