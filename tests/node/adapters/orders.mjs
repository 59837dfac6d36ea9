/** A real gRPC server on this machine that fails as it is told, tells what it saw, and a client without a protocol file. */
import * as grpc from '@grpc/grpc-js'

export const GET = '/test.Orders/Get'
export const SEND = '/test.Orders/Send'
const STREAM = '/test.Orders/Stream'
export const HANG = 'hang'

const bytes = value => Buffer.from(value)
const method = (path, responseStream = false) => ({
  path,
  requestStream: false,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: String,
  responseSerialize: bytes,
  responseDeserialize: String,
})
const SERVICE = { Get: method(GET), Send: method(SEND), Stream: method(STREAM, true) }

export class Orders {
  /** The calls: method, request, metadata and how many ms they were given. */
  seen = []
  /** How many calls the client has given up. */
  cancelled = 0
  #answers = []

  /** A server that is there until the test is over. */
  static async start(t) {
    const orders = new Orders()
    const server = new grpc.Server()
    server.addService(SERVICE, {
      Get: (call, done) => orders.#answer(call, done),
      Send: (call, done) => orders.#answer(call, done),
      Stream: call => {
        for (let part = 0; part < 2; part++) call.write(call.request)
        call.end()
      },
    })
    const port = await new Promise((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    )
    orders.target = `127.0.0.1:${port}`
    t.after(() => server.forceShutdown())
    return orders
  }

  /** Lines up the statuses of calls, each a number or one with a pushback; OK where none is left. */
  will(...answers) {
    this.#answers.push(...answers)
  }

  #answer(call, done) {
    this.seen.push({
      method: call.getPath(),
      request: call.request,
      metadata: call.metadata.getMap(),
      remaining: Number(call.getDeadline()) - Date.now(),
    })
    call.on('cancelled', () => this.cancelled++)
    const answer = this.#answers.shift()
    if (answer === HANG) return
    if (answer === undefined) return done(null, call.request)
    const { code, pushback } = typeof answer === 'number' ? { code: answer } : answer
    const metadata = new grpc.Metadata()
    if (pushback !== undefined) metadata.set('grpc-retry-pushback-ms', pushback)
    done({ code, details: 'as told', metadata })
  }
}

const Client = grpc.makeGenericClientConstructor(SERVICE, 'Orders')

/** A client of a target with an interceptor, until the test is over. */
export function client(t, target, interceptor) {
  const made = new Client(target, grpc.credentials.createInsecure(), { interceptors: [interceptor] })
  t.after(() => made.close())
  return made
}

/** The answer to a call of such a client. */
export function called(client, name, options = {}, begun = () => {}) {
  return new Promise((resolve, reject) => {
    const metadata = new grpc.Metadata()
    metadata.set('tenant', 'one')
    begun(client[name]('order', metadata, options, (error, reply) => (error ? reject(error) : resolve(reply))))
  })
}
