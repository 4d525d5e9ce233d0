/** Where certificate, key and their passwords come from, by the options. Reads no file. Used in the supervisor only. */
import path from "node:path";
import { optionError, type Origin } from "./origin.ts";
import { OPTION_NAMES, type OptionName, type ResolvedOptions, specOf } from "./table.ts";

/** Where one password comes from: given as it is, or in a file. */
export interface PasswordSource {
  /** The flag that it has, for messages. */
  readonly flag: string;
  /** The password itself. */
  readonly value: string | undefined;
  /** Absolute; looked at when there is no value. */
  readonly file: string | undefined;
  /** The file need not be there: a credential of systemd's. */
  readonly optional: boolean;
}

/** What the supervisor reads a certificate from; paths are absolute. */
export interface TlsSources {
  readonly certificateFile: string;
  readonly keyFile: string | undefined;
  readonly certificatePassword: PasswordSource;
  readonly keyPassword: PasswordSource;
}

type Origins = Readonly<Partial<Record<OptionName, Origin>>>;

/** Tells where to read what TLS needs; undefined without --ssl and --http2. Throws ERR_CHOIR_OPTION for what does not go together. */
export function tlsSources(
  options: ResolvedOptions,
  { origins, environment }: { origins: Origins; environment: NodeJS.ProcessEnv },
): TlsSources | undefined {
  const { certificateFile, keyFile } = options;
  if (!options.ssl && !options.http2) {
    // In code or the environment it may stand ready for a start with --ssl; on the command line it was meant for this one.
    if (origins.certificateFile?.from === "flag") {
      throw optionError("--certificate-file has no effect without --ssl: add --ssl for HTTPS, or --http2");
    }
    return undefined;
  }
  if (certificateFile === undefined) {
    throw optionError(
      `${options.http2 ? "--http2" : "--ssl"} needs a certificate: --certificate-file is missing, and --key-file unless that one holds the key`,
    );
  }
  return {
    certificateFile: path.resolve(certificateFile),
    keyFile: keyFile === undefined ? undefined : path.resolve(keyFile),
    certificatePassword: passwordSource("certificate-password", environment, {
      value: options.certificatePassword,
      file: options.certificatePasswordFile,
    }),
    keyPassword: passwordSource("key-password", environment, {
      value: options.keyPassword,
      file: options.keyPasswordFile,
    }),
  };
}

/** The options as all others may see them. */
export function withoutSecrets(options: ResolvedOptions): ResolvedOptions {
  const secrets = OPTION_NAMES.filter((name) => specOf(name).secret === true);
  return { ...options, ...Object.fromEntries(secrets.map((name) => [name, undefined])) };
}

/** Where a password is, by its two options and systemd's credentials; `name` is its flag's. */
export function passwordSource(
  name: string,
  environment: NodeJS.ProcessEnv,
  { value, file }: { value: string | undefined; file: string | undefined },
): PasswordSource {
  const flag = `--${name}`;
  if (value !== undefined && file !== undefined) {
    throw optionError(`${flag} and ${flag}-file are both given: leave one of them away`);
  }
  if (value !== undefined || file !== undefined) {
    return { flag, value, file: file === undefined ? undefined : path.resolve(file), optional: false };
  }
  // systemd's LoadCredential= puts files there that only the service can read.
  const folder = environment["CREDENTIALS_DIRECTORY"];
  return { flag, value, file: folder === undefined ? undefined : path.resolve(folder, name), optional: true };
}
