/** Certificates made by the test that uses them: of any name, time and form. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import forge from "node-forge";

export interface CertificateOptions {
  /** Default: localhost. */
  readonly name?: string;
  readonly validFrom?: Date;
  readonly validTo?: Date;
  /** Who signs it. Default: itself. */
  readonly issuer?: TestCertificate;
  /** It may sign others. */
  readonly authority?: boolean;
}

export interface TestCertificate {
  readonly name: string;
  /** The certificate in PEM form. */
  readonly pem: string;
  readonly serial: string;
  readonly key: KeyObject;
  /** The key in PEM form. */
  readonly keyPem: string;
  encryptedKey(password: string): string;
  pkcs12(password: string): Buffer;
}

const DAY = 86_400_000;
let serials = 0x1000;

/** Makes one; 2048 bits, since OpenSSL refuses less. */
export function makeCertificate(options: CertificateOptions = {}): TestCertificate {
  const { name = "localhost", issuer, authority = false } = options;
  const { validFrom = new Date(Date.now() - DAY), validTo = new Date(Date.now() + 365 * DAY) } = options;
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const serial = (++serials).toString(16).toUpperCase();
  const privateKey = forge.pki.privateKeyFromPem(key.export({ type: "pkcs1", format: "pem" }).toString());
  const certificate = forge.pki.createCertificate();
  certificate.serialNumber = serial;
  certificate.publicKey = forge.pki.rsa.setPublicKey(privateKey.n, privateKey.e);
  certificate.validity.notBefore = validFrom;
  certificate.validity.notAfter = validTo;
  certificate.setSubject([{ name: "commonName", value: name }]);
  certificate.setIssuer([{ name: "commonName", value: issuer?.name ?? name }]);
  certificate.setExtensions([
    { name: "basicConstraints", cA: authority },
    ...(authority
      ? []
      : [
          {
            name: "subjectAltName",
            altNames: [
              { type: 2, value: name },
              { type: 7, ip: "127.0.0.1" },
            ],
          },
        ]),
  ]);
  const signer = issuer === undefined ? privateKey : forge.pki.privateKeyFromPem(issuer.keyPem);
  certificate.sign(signer, forge.md.sha256.create());
  return {
    name,
    pem: forge.pki.certificateToPem(certificate),
    serial,
    key,
    keyPem: key.export({ type: "pkcs1", format: "pem" }).toString(),
    encryptedKey: (passphrase) =>
      key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }).toString(),
    pkcs12(password) {
      const bag = forge.pkcs12.toPkcs12Asn1(privateKey, [certificate], password, { algorithm: "aes256" });
      return Buffer.from(forge.asn1.toDer(bag).getBytes(), "binary");
    },
  };
}
