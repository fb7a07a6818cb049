using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Plugins;

namespace WebhookService.Api;

/// <summary>
/// What an operator can mend before the next start: told in a sentence on the console instead of a stack. Everything else is our fault and
/// keeps its stack.
/// </summary>
internal static class StartMistake
{
    // They log what ends the start, stack and all, before Main can say it.
    private static readonly string[] Loud =
        ["Microsoft.Extensions.Hosting.Internal.Host", "Microsoft.AspNetCore.Hosting.Diagnostics", "Microsoft.AspNetCore.Server.Kestrel"];

    /// <summary>Keeps the host from logging errors until the service has started. What Main does not know ends the process with its stack.</summary>
    public static void HushHost(this IServiceCollection services)
    {
        services.AddSingleton<Hush>();
        services.AddSingleton<IConfigureOptions<LoggerFilterOptions>>(provider => provider.GetRequiredService<Hush>());
        services.AddSingleton<IOptionsChangeTokenSource<LoggerFilterOptions>>(provider => provider.GetRequiredService<Hush>());
    }

    public static void UnhushWhenStarted(this WebApplication app) => app.Lifetime.ApplicationStarted.Register(app.Services.GetRequiredService<Hush>().End);

    /// <summary>The sentence for a mistake that is known; else null.</summary>
    public static string? Of(Exception failure) => failure switch
    {
        OptionsValidationException { OptionsName: PluginsOptions.Section } mistakes => $"The service does not start, because of its plug-ins:\n  {string.Join("\n  ", mistakes.Failures)}",
        OptionsValidationException { OptionsName: HandlerFinder.Section } mistakes =>
            $"The service does not start, because its handlers or their settings have mistakes:\n  {string.Join("\n  ", mistakes.Failures)}",
        OptionsValidationException mistakes => $"The service does not start, because its configuration has mistakes:\n  {string.Join("\n  ", mistakes.Failures)}",
        DatabaseUnusableException database => $"The service does not start: {database.Message}",
        _ => Why(failure) is { } why ? $"The service does not start: {why}" : null,
    };

    private static string? Why(Exception failure) => failure switch
    {
        { Source: "Microsoft.Extensions.Configuration.Binder" } => $"{failure.Message} Give that setting a value of its type; appsettings.json beside the program has them all with a comment.",
        IOException { InnerException: AddressInUseException } => $"{failure.Message} {AnotherAddress}, or stop what listens there.",
        IOException when failure.Message.StartsWith("Failed to bind", StringComparison.Ordinal) => $"{failure.Message} {AnotherAddress}.",
        SocketException { SocketErrorCode: SocketError.AccessDenied } => $"it may not listen at the address it was given ({failure.Message}). {AnotherAddress}: ports below 1024 need rights.",
        SocketException { SocketErrorCode: SocketError.AddressNotAvailable } => $"the address it was given is none of this machine's ({failure.Message}). {AnotherAddress}.",
        FormatException when failure.Message.StartsWith("Invalid url", StringComparison.Ordinal) => $"{failure.Message} {AnotherAddress}.",
        _ => null,
    };

    private const string AnotherAddress = "Choose another address with --urls, such as --urls http://localhost:5081";

    /// <summary>A rule for the log that is there only during the start; then the configured ones hold alone.</summary>
    private sealed class Hush : IConfigureOptions<LoggerFilterOptions>, IOptionsChangeTokenSource<LoggerFilterOptions>
    {
        private ConfigurationReloadToken change = new();
        private bool ended;

        public string Name => Options.DefaultName;

        public void Configure(LoggerFilterOptions options)
        {
            if (ended) return;
            foreach (var category in Loud) options.Rules.Add(new(providerName: null, category, LogLevel.Warning, (_, _, level) => level is LogLevel.Warning));
        }

        public IChangeToken GetChangeToken() => change;

        public void End()
        {
            ended = true;
            Interlocked.Exchange(ref change, new()).OnReload();
        }
    }
}
