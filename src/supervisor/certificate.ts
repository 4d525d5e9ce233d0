/**
 * Reads the certificate, its key and their passwords, and makes sure that they can be served with, before any instance is started
 * and again whenever the files change. Runs in the supervisor only, so that instances need not be able to read the files.
 */
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import path from "node:path";
import { Duplex } from "node:stream";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { ChoirError, describeThrown, quote } from "../errors.ts";
import { secureContextOptions } from "../http/tls.ts";
import { optionError } from "../options/origin.ts";
import type { PasswordSource, TlsSources } from "../options/tls-sources.ts";
import type { TlsMaterial } from "../protocol.ts";
import { readCertificateFile, readPassword } from "./certificate-files.ts";

type Identity = TlsMaterial["identity"];

/** A certificate that can be served with. */
export interface Certificate {
  readonly identity: Identity;
  /** Changes with anything that instances are sent. */
  readonly id: string;
  /** The file as it was given to us. */
  readonly file: string;
  /** The names it is for, else its subject. */
  readonly names: string;
  readonly serial: string;
  readonly validFrom: Date;
  readonly validTo: Date;
}

/** Reads and checks all of it; throws ERR_CHOIR_CERTIFICATE, or ERR_CHOIR_OPTION for a key that was not given. */
export async function readCertificate(sources: TlsSources): Promise<Certificate> {
  const content = await readCertificateFile("--certificate-file", sources.certificateFile);
  const identity = isPem(content)
    ? await readPem(content.toString("latin1"), sources)
    : await readPkcs12(content, sources);
  const context = contextOf(identity, sources);
  const leaf = identity.form === "pem" ? new X509Certificate(identity.certificate) : certificateOf(context);
  if (leaf === undefined) throw refused(sources.certificateFile, "holds no certificate");
  return {
    identity,
    id: createHash("sha256").update(JSON.stringify(identity)).digest("base64"),
    file: sources.certificateFile,
    names: namesOf(leaf),
    serial: leaf.serialNumber,
    validFrom: new Date(leaf.validFrom),
    validTo: new Date(leaf.validTo),
  };
}

async function readPem(text: string, sources: TlsSources): Promise<Identity> {
  const { certificateFile: file, keyFile, certificatePassword, keyPassword } = sources;
  const chain = readChain(text, file);
  let keyText = text;
  let password = certificatePassword;
  if (keyFile !== undefined) {
    keyText = (await readCertificateFile("--key-file", keyFile)).toString("latin1");
    password = keyPassword;
  } else if (!PRIVATE_KEY.test(text)) {
    throw optionError(`--key-file is missing: ${quote(file)} holds a certificate and no private key`);
  }
  const key = await readKey(keyText, { file: keyFile ?? file, password });
  checkKey(key, chain, { file, keyFile: keyFile ?? file });
  // Decrypted here, once: a passphrase that no instance gets cannot be lost there.
  return {
    form: "pem",
    certificate: chain.map((certificate) => certificate.toString()).join(""),
    key: key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^]+?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[^]+?-----END (?:[A-Z]+ )*PRIVATE KEY-----/;
const ENCRYPTED = /BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/;

function readChain(text: string, file: string): X509Certificate[] {
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) {
    throw refused(
      file,
      PRIVATE_KEY.test(text) ? "holds a private key and no certificate" : "holds no whole certificate",
      {
        hint: "Give the certificate with --certificate-file and its key with --key-file",
      },
    );
  }
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw refused(file, `is damaged: its certificate no. ${index + 1} cannot be read`, { cause });
    }
  });
}

async function readKey(
  text: string,
  { file, password }: { file: string; password: PasswordSource },
): Promise<KeyObject> {
  const block = PRIVATE_KEY.exec(text)?.[0];
  if (block === undefined) {
    const what = isPem(Buffer.from(text)) ? "holds no private key" : "is not in PEM form";
    throw refusedKey(file, what, { hint: "A key in PEM form begins with -----BEGIN PRIVATE KEY-----" });
  }
  const encrypted = ENCRYPTED.test(block);
  const passphrase = encrypted ? await readPassword(password) : undefined;
  if (encrypted && passphrase === undefined) {
    throw refusedKey(file, `is encrypted, and ${password.flag} is missing`, { hint: howToGive(password) });
  }
  try {
    return createPrivateKey({ key: block, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (cause) {
    if (!encrypted) throw refusedKey(file, `is damaged: ${reasonOf(cause)}`, { cause });
    throw refusedKey(file, `cannot be decrypted: the password in ${placeOf(password)} is wrong, or the file damaged`);
  }
}

function checkKey(
  key: KeyObject,
  chain: readonly X509Certificate[],
  { file, keyFile }: { file: string; keyFile: string },
): void {
  const at = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (at === 0) return;
  if (at > 0) {
    throw refused(file, `has the certificate of the key at place ${at + 1}: it must be the first of the chain`);
  }
  throw refused(file, `does not belong to the private key in ${quote(keyFile)}`, {
    hint: "Give the key that the certificate was requested with",
  });
}

async function readPkcs12(content: Buffer, sources: TlsSources): Promise<Identity> {
  const { certificateFile: file, certificatePassword } = sources;
  const looksIt = /\.(?:p12|pfx)$/i.test(file) || (content[0] === 0x30 && !isDerCertificate(content));
  if (!looksIt) {
    throw refused(
      file,
      `is neither PEM nor PKCS#12${isDerCertificate(content) ? ", but a certificate in DER form" : ""}`,
      {
        hint: "A certificate in PEM form begins with -----BEGIN CERTIFICATE-----; openssl x509 -inform der makes one of DER",
      },
    );
  }
  const passphrase = await readPassword(certificatePassword);
  return { form: "pkcs12", pfx: content.toString("base64"), passphrase };
}

function contextOf(identity: Identity, sources: TlsSources): SecureContext {
  const { certificateFile: file, certificatePassword } = sources;
  try {
    return createSecureContext(secureContextOptions({ identity, ticketKeys: "" }));
  } catch (cause) {
    const reason = reasonOf(cause);
    if (identity.form === "pkcs12" && /mac verify/i.test(reason)) {
      if (identity.passphrase === undefined) {
        throw refused(file, `is encrypted, and ${certificatePassword.flag} is missing`, {
          hint: howToGive(certificatePassword),
        });
      }
      throw refused(file, `cannot be opened: the password in ${placeOf(certificatePassword)} is wrong`);
    }
    throw refused(file, `cannot be used: ${reason}`, { cause });
  }
}

/** The certificate in a context: nothing public tells but a TLS socket, which need not be connected. */
function certificateOf(secureContext: SecureContext): X509Certificate | undefined {
  const nowhere = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const socket = new TLSSocket(nowhere, {
    isServer: true,
    secureContext,
  });
  const certificate = socket.getX509Certificate();
  socket.destroy();
  return certificate;
}

function namesOf(certificate: X509Certificate): string {
  const names = certificate.subjectAltName?.match(/(?:DNS|IP Address):[^,]+/g);
  return names?.map((name) => name.replace(/^[^:]+:/, "")).join(", ") ?? certificate.subject.replaceAll("\n", ", ");
}

function isPem(content: Buffer): boolean {
  return content.includes("-----BEGIN ");
}

function isDerCertificate(content: Buffer): boolean {
  try {
    return new X509Certificate(content).raw.length > 0;
  } catch {
    return false;
  }
}

/** OpenSSL's own words, which never hold a password. */
function reasonOf(thrown: unknown): string {
  const { reason } = thrown as { reason?: unknown };
  return typeof reason === "string" ? reason : describeThrown(thrown);
}

function placeOf({ flag, file }: PasswordSource): string {
  return file === undefined ? flag : quote(file);
}

function howToGive({ flag }: PasswordSource): string {
  return `Put the password into a file that only the service can read and give that with ${flag}-file`;
}

function refused(file: string, problem: string, more: { hint?: string; cause?: unknown } = {}): ChoirError {
  return new ChoirError("ERR_CHOIR_CERTIFICATE", `--certificate-file ${quoteFile(file)} ${problem}`, more);
}

function refusedKey(file: string, problem: string, more: { hint?: string; cause?: unknown } = {}): ChoirError {
  return new ChoirError("ERR_CHOIR_CERTIFICATE", `The private key in ${quoteFile(file)} ${problem}`, more);
}

function quoteFile(file: string): string {
  return JSON.stringify(path.normalize(file));
}
