using System.Globalization;
using CsvLines;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Application.BusinessHandlers;

namespace CsvHandlers;

/// <summary>
/// Appends lines to a file of each day. An event may be handled again after a crash, so each line begins with its key: two with the same key are one event.
/// </summary>
internal sealed class CsvFiles(string folder)
{
    private readonly Lock turn = new(); // handlers run side by side

    public void Append(string name, HandlingContext context, params string[] fields)
    {
        var key = context.Key.ToString(CultureInfo.InvariantCulture);
        var file = Path.Combine(folder, $"{name}-{context.At.UtcDateTime:yyyy-MM-dd}.csv");
        lock (turn)
        {
            Directory.CreateDirectory(folder);
            File.AppendAllText(file, CsvLine.Of([key, context.At.UtcDateTime.ToString("O", CultureInfo.InvariantCulture), .. fields]));
        }
    }
}

/// <summary>What the handlers of this plug-in ask for in their constructors.</summary>
public sealed class Services : IPluginServices
{
    public void Add(IServiceCollection services, IConfiguration configuration) =>
        services.AddSingleton(new CsvFiles(configuration["CsvHandlers:Folder"] ?? "csv"));
}
