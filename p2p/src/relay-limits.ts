/** What one relay gives, sized for a mesh whose members know each other. */

/**
 * Peers that may be called through one relay. libp2p's default of 15 is for relays that strangers use;
 * a connection with a reservation costs up to 0.3 MB (bench/memory.ts), so that 2,000 fit into 768 MiB.
 */
export const MAX_RESERVATIONS = 2_000

/** A reservation is renewed well before; one of a peer that left without a word is gone after it. It ends with its connection, too. */
export const RESERVATION_SECONDS = 3_600

/** Connections that one peer may have opened through the relay, so that none takes the room of all. */
export const MAX_CIRCUITS_OF_PEER = 256

/** All relayed connections: each costs two streams with windows of up to 1 MiB while their readers are slow. */
export const MAX_CIRCUITS = 4_000

/**
 * No call lasts longer than a day, so that none is cut; libp2p's default of two minutes and 128 KiB would cut most answers of a model.
 * Being limited at all also tells both peers that the connection is relayed.
 */
export const CIRCUIT_SECONDS = 24 * 3_600

/** What each peer may send through the relay in a second, and at once: an eighth of what one relay carries. */
export const BYTES_PER_SECOND = 16 * 1024 * 1024

/** For one message of either protocol, or a whole handshake of them. */
export const HANDSHAKE_MS = 5_000
/** Addresses in a message are not read: a peer id and what is around it take less. */
export const MAX_MESSAGE_BYTES = 4_096

/** Above the reservations: sidecars keep a connection to each relay that they know, and reserve at two of them. */
export const MAX_CONNECTIONS = 2_500
