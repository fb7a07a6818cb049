using Microsoft.Extensions.Options;

namespace WebhookService.Api.Security;

/// <summary>
/// Section <c>Security</c>. Read and checked as a whole at start and again on every reload, where a mistake leaves the
/// former tokens in force; that is why it does not go through the options monitor, which throws on a reload thread.
/// </summary>
internal sealed class SecurityOptions
{
    public const string Section = "Security";
    public const int ShortestToken = 16;

    public List<TokenOptions> Tokens { get; init; } = [];

    public JwtOptions Jwt { get; init; } = new();

    /// <summary>Headers that may carry a token, asked in this order before <c>Authorization</c>.</summary>
    public string[] Headers { get; init; } = [];

    /// <summary>Where generated tokens are kept; used only while neither tokens nor JWTs are configured.</summary>
    public string CredentialsFile { get; init; } = "data/credentials.json";

    public bool NothingConfigured => Tokens.Count == 0 && !Jwt.IsConfigured;

    public static SecurityOptions Read(IConfiguration configuration)
    {
        SecurityOptions options;
        try
        {
            options = configuration.GetSection(Section).Get<SecurityOptions>() ?? new();
        }
        catch (InvalidOperationException wrong)
        {
            throw Refused([wrong.Message]);
        }

        var mistakes = TokenOptions.Mistakes(options.Tokens, $"{Section}:Tokens", options.Jwt.IsConfigured)
            .Concat(options.Jwt.Mistakes())
            .Concat(options.OwnMistakes())
            .ToList();
        return mistakes.Count == 0 ? options : throw Refused(mistakes);
    }

    public static OptionsValidationException Refused(IEnumerable<string> mistakes) => new(Section, typeof(SecurityOptions), mistakes);

    private IEnumerable<string> OwnMistakes()
    {
        if (string.IsNullOrWhiteSpace(CredentialsFile))
            yield return "Security:CredentialsFile is empty: give a path such as data/credentials.json.";
        foreach (var (index, header) in Headers.Index())
        {
            if (header.Length == 0 || header.AsSpan().ContainsAnyExcept(HeaderCharacters))
                yield return $"Security:Headers:{index} is no header name: use letters, digits and '-'.";
        }
    }

    private static readonly System.Buffers.SearchValues<char> HeaderCharacters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
}

/// <summary>One shared token: a secret of at least 16 characters, a name for the logs, and what it may do.</summary>
internal sealed class TokenOptions
{
    public string Token { get; init; } = "";

    public string? Name { get; init; }

    public string[] Scopes { get; init; } = [];

    /// <summary>What is wrong with these tokens, each mistake naming its key and never the token.</summary>
    public static IEnumerable<string> Mistakes(IReadOnlyList<TokenOptions> tokens, string key, bool jwtIsConfigured)
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (index, token) in tokens.Index())
        {
            if (token.Token.Length < SecurityOptions.ShortestToken)
                yield return $"{key}:{index}:Token is shorter than {SecurityOptions.ShortestToken} characters: generate one, for example with 'openssl rand -base64 32'.";
            else if (token.Token.AsSpan().ContainsAnyExceptInRange('!', '~'))
                yield return $"{key}:{index}:Token holds a space or a character outside ASCII, which headers do not carry.";
            else if (!seen.TryAdd(token.Token, index))
                yield return $"{key}:{index}:Token is the same as {key}:{seen[token.Token]}:Token: give each its own.";
            else if (jwtIsConfigured && PresentedToken.LooksLikeJwt(token.Token))
                yield return $"{key}:{index}:Token looks like a JWT and would be taken for one: choose another.";

            if (token.Scopes.Length == 0)
                yield return $"{key}:{index}:Scopes is empty: name at least one of {string.Join(", ", Security.Scopes.All)}.";
            foreach (var (at, scope) in token.Scopes.Index())
            {
                if (!Security.Scopes.All.Contains(scope))
                    yield return $"{key}:{index}:Scopes:{at} is '{scope}', which is no scope: use {string.Join(", ", Security.Scopes.All)}.";
            }
        }
    }
}
