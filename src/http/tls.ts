/** What TLS is served with, as Node takes it. The supervisor checks with it, the instance serves with it. */
import type { SecureContextOptions } from "node:tls";
import type { TlsMaterial } from "../protocol.ts";

/** All that makes a context, for `tls.createSecureContext` and a server's `setSecureContext`. */
export interface TlsContextOptions extends SecureContextOptions {
  /** Always there: a context without them makes keys of its own, and no session is resumed. */
  readonly ticketKeys?: Buffer;
}

/** The options for a context of this certificate. */
export function secureContextOptions({ identity, ticketKeys }: TlsMaterial): TlsContextOptions {
  return {
    ...(identity.form === "pem"
      ? { cert: identity.certificate, key: identity.key }
      : { pfx: Buffer.from(identity.pfx, "base64"), passphrase: identity.passphrase }),
    minVersion: "TLSv1.2",
    // Node's default is a hash of the command line: a session would not be resumed by a program started with other arguments.
    sessionIdContext: "choir",
    ...(ticketKeys === "" ? {} : { ticketKeys: Buffer.from(ticketKeys, "base64") }),
  };
}
