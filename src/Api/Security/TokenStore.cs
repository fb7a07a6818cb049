using System.Collections.Frozen;
using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Primitives;

namespace WebhookService.Api.Security;

/// <summary>
/// The shared tokens in force, held as SHA-256 digests beside ready-made principals; the one that was known last also as it was presented.
/// A change of the configuration or of the credentials file replaces them at once; a change with a mistake in it leaves them as they were and
/// is logged.
/// </summary>
internal sealed partial class TokenStore : IDisposable
{
    // Looked at rather than watched: a watch on the data folder would wake up for every write to the database in it.
    private static readonly TimeSpan LookAtFileEvery = TimeSpan.FromSeconds(2);

    private readonly IConfiguration configuration;
    private readonly ILogger<TokenStore> logger;
    private readonly IDisposable reload;
    private readonly ITimer timer;
    private readonly Lock loading = new();
    private volatile Snapshot current;

    public TokenStore(IConfiguration configuration, TimeProvider time, ILogger<TokenStore> logger)
    {
        this.configuration = configuration;
        this.logger = logger;
        current = Load(mayGenerate: true);
        if (current.File is { } file) UsingFile(file.Path);
        reload = ChangeToken.OnChange(configuration.GetReloadToken, Reload);
        timer = time.CreateTimer(_ => ReloadIfFileChanged(), null, LookAtFileEvery, LookAtFileEvery);
    }

    /// <summary>Headers to look for a token in.</summary>
    public string[] Headers => current.Options.Headers;

    /// <summary>The tokens made by this very start, to be shown once; else null.</summary>
    public GeneratedCredentials? JustGenerated { get; private set; }

    /// <summary>Who presents this token. Every digest is compared whole, whatever matched before it, so that time tells nothing.</summary>
    public KnownToken? Find(string presented)
    {
        var now = current;
        // A broker sends the same token with every request. Comparing with that one tells its length at most.
        if (now.Latest is { } latest && CryptographicOperations.FixedTimeEquals(MemoryMarshal.AsBytes<char>(presented), MemoryMarshal.AsBytes<char>(latest.Text)))
            return latest.Known;

        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        Digest(presented, digest);

        KnownToken? found = null;
        foreach (var entry in now.Entries)
        {
            if (CryptographicOperations.FixedTimeEquals(entry.Digest, digest)) found = entry.Known;
        }

        if (found is not null) now.Latest = new(presented, found);
        return found;
    }

    public void Dispose()
    {
        timer.Dispose();
        reload.Dispose();
    }

    internal void ReloadIfFileChanged()
    {
        if (current.File is { } file && CredentialsFile.StampOf(file.Path) != file.Stamp) Reload();
    }

    private void Reload()
    {
        lock (loading)
        {
            var before = current;
            try
            {
                current = Load(mayGenerate: false);
                if (!current.SameTokensAs(before)) Replaced(current.Entries.Length);
            }
            catch (Exception mistake) // whatever it is: thrown on a timer it would end the process
            {
                // Remembering the stamp keeps one broken edit from being reported every two seconds.
                if (before.File is { } file) current = before with { File = file with { Stamp = CredentialsFile.StampOf(file.Path) } };
                KeptBecause(mistake.Message);
            }
        }
    }

    private Snapshot Load(bool mayGenerate)
    {
        var options = SecurityOptions.Read(configuration);
        if (!options.NothingConfigured) return new(options, options.Tokens, File: null);

        var path = Path.GetFullPath(options.CredentialsFile);
        if (mayGenerate) JustGenerated = CredentialsFile.GenerateIfMissing(path);
        var stamp = CredentialsFile.StampOf(path);
        var tokens = CredentialsFile.Read(path, out var openToOthers);
        if (openToOthers) OpenToOthers(path);
        return new(options, tokens, new(path, stamp));
    }

    private static void Digest(string token, Span<byte> digest)
    {
        const int OnStack = 512;
        var most = Encoding.UTF8.GetMaxByteCount(token.Length);
        var bytes = most <= OnStack ? stackalloc byte[OnStack] : new byte[most];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(token, bytes)], digest);
    }

    private sealed record WatchedFile(string Path, FileStamp Stamp);

    private sealed record Entry(byte[] Digest, KnownToken Known);

    private sealed class Presented(string text, KnownToken known)
    {
        public string Text { get; } = text;
        public KnownToken Known { get; } = known;
    }

    private sealed record Snapshot(SecurityOptions Options, Entry[] Entries, WatchedFile? File)
    {
        public Snapshot(SecurityOptions options, IEnumerable<TokenOptions> tokens, WatchedFile? File)
            : this(options, tokens.Select((token, index) => EntryFor(token, index)).ToArray(), File)
        {
        }

        /// <summary>The last token that was presented and known.</summary>
        public Presented? Latest { get; set; }

        public bool SameTokensAs(Snapshot other) =>
            Entries.Length == other.Entries.Length &&
            Entries.Zip(other.Entries).All(pair => pair.First.Digest.AsSpan().SequenceEqual(pair.Second.Digest)
                && pair.First.Known.Caller.Claims.Select(c => c.Value).SequenceEqual(pair.Second.Known.Caller.Claims.Select(c => c.Value)));

        private static Entry EntryFor(TokenOptions token, int index)
        {
            var digest = new byte[SHA256.HashSizeInBytes];
            TokenStore.Digest(token.Token, digest);
            var claims = token.Scopes.Select(scope => new Claim("scope", scope)).Prepend(new Claim("sub", token.Name ?? $"token {index}"));
            return new(digest, new(new(new ClaimsIdentity(claims, TokenAuthenticationHandler.Scheme, "sub", roleType: null))));
        }
    }

    [LoggerMessage(LogLevel.Information, "No tokens and no JWT are configured: the generated tokens in {File} are in force")]
    private partial void UsingFile(string file);

    [LoggerMessage(LogLevel.Information, "The shared tokens were replaced: {Count} are in force")]
    private partial void Replaced(int count);

    [LoggerMessage(LogLevel.Error, "The changed tokens were refused and the former ones stay in force: {Mistakes}")]
    private partial void KeptBecause(string mistakes);

    [LoggerMessage(LogLevel.Warning, "{File} holds tokens and others than its owner can read it: run chmod 600 on it")]
    private partial void OpenToOthers(string file);
}

/// <summary>What a shared token stands for; the same for all requests, which only read it.</summary>
internal sealed class KnownToken(ClaimsPrincipal caller)
{
    public ClaimsPrincipal Caller { get; } = caller;

    public AuthenticateResult Result { get; } = AuthenticateResult.Success(new(caller, TokenAuthenticationHandler.Scheme));

    /// <summary>Looked up rather than asked of the claims each time.</summary>
    public FrozenSet<string> Scopes { get; } = Security.Scopes.All.Where(caller.Allows).ToFrozenSet();
}
