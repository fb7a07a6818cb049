using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WebhookService.Api.Security;

/// <summary>The tokens of a first start, one per scope.</summary>
internal sealed record GeneratedCredentials(string Path, string Ingest, string Read, string Manage);

/// <summary>Tells one version of a file from the next.</summary>
internal readonly record struct FileStamp(bool Exists, DateTime WrittenAt, long Length);

/// <summary>
/// Tokens for a service that was given none: three random ones, one per scope, in a JSON file that only its owner can
/// read from the moment it exists. A file that cannot be read or understood stops the start: doors stay closed.
/// </summary>
internal static class CredentialsFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
    };

    public static GeneratedCredentials? GenerateIfMissing(string path)
    {
        if (File.Exists(path)) return null;

        var tokens = Scopes.All.Select(scope => new TokenOptions { Token = NewToken(), Name = scope, Scopes = [scope] }).ToList();
        try
        {
            CreateDirectory(Path.GetDirectoryName(path)!);
            return WriteNew(path, JsonSerializer.SerializeToUtf8Bytes(new Content(tokens), Json))
                ? new(path, Of(Scopes.Ingest), Of(Scopes.Read), Of(Scopes.Manage))
                : null;

            string Of(string scope) => tokens.Single(token => token.Name == scope).Token;
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw SecurityOptions.Refused(
                [$"Security:CredentialsFile: {path} cannot be written ({failed.Message}). Make its folder writable, or configure Security:Tokens."]);
        }
    }

    /// <param name="openToOthers">Whether others than its owner can read it.</param>
    public static List<TokenOptions> Read(string path, out bool openToOthers)
    {
        try
        {
            openToOthers = IsOpenToOthers(path);
            var tokens = JsonSerializer.Deserialize<Content>(File.ReadAllBytes(path), Json)?.Tokens ?? [];
            tokens.RemoveAll(token => token is null);
            var mistakes = TokenOptions.Mistakes(tokens, $"{path}: tokens", jwtIsConfigured: false).ToList();
            if (tokens.Count == 0) mistakes.Add($"{path} holds no tokens: delete it to have new ones generated at the next start.");
            return mistakes.Count == 0 ? tokens : throw SecurityOptions.Refused(mistakes);
        }
        catch (JsonException broken)
        {
            throw SecurityOptions.Refused(
                [$"Security:CredentialsFile: {path} is not what the service wrote (line {broken.LineNumber + 1}). Mend it, or delete it to have new tokens generated at the next start."]);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw SecurityOptions.Refused(
                [$"Security:CredentialsFile: {path} cannot be read ({failed.Message}). Let the service's user own it, or configure Security:Tokens."]);
        }
    }

    public static FileStamp StampOf(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? new(true, file.LastWriteTimeUtc, file.Length) : default;
    }

    private static bool IsOpenToOthers(string path) =>
        !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & ~(OwnerOnly | UnixFileMode.UserExecute)) != UnixFileMode.None;

    // 32 random bytes; hexadecimal passes through every shell, header and URL-minded tool untouched.
    private static string NewToken() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    private static void CreateDirectory(string path)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, OwnerOnly | UnixFileMode.UserExecute);
    }

    /// <summary>Born owner-only under another name, whole on disk, then moved into place. False if another process was first.</summary>
    private static bool WriteNew(string path, byte[] content)
    {
        var draft = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        try
        {
            using (var file = new FileStream(draft, options))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(draft, path, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            return false;
        }
        finally
        {
            File.Delete(draft);
        }
    }

    private sealed record Content(List<TokenOptions> Tokens);
}
